# A small shop on Rails 6.1 as Debian packages it; there is no Gemfile, so nothing is downloaded.
require "rails"
require "action_controller/railtie"
require "action_view/railtie"
require "sprockets/railtie"
require "sassc-rails"

require_relative "terser"

class Shop < Rails::Application
  config.root = File.expand_path("..", __dir__)
  config.load_defaults 6.1
  config.eager_load = true
  config.cache_classes = true
  config.secret_key_base = "0" * 64 # signs nothing
  config.logger = ActiveSupport::Logger.new($stderr)
  config.log_level = :warn

  # All that is written goes to the folder the deploy names, so that the app's own folder stays as it is.
  work = ENV.fetch("BUILD_OUT")
  paths["tmp"] = File.join(work, "tmp")
  paths["public"] = File.join(work, "public")
  config.assets.configure { |sprockets| sprockets.cache = Sprockets::Cache::MemoryStore.new }

  config.assets.paths << ENV.fetch("NODE_PATH")
  config.assets.js_compressor = Terser.new
  config.assets.css_compressor = :sass
end
