# The server that is resident beside the deploy.
environment "production"
bind "unix://#{ENV.fetch("BUILD_OUT")}/puma.sock"
workers Integer(ENV.fetch("WEB_WORKERS"))
preload_app! false
