#!/bin/sh
# Precompiles the shop's assets. With WEB_WORKERS set, as on every deploy but the first, the web server runs beside it.
set -eu
cd "$(dirname "$0")"
export RAILS_ENV=production
mkdir -p "$BUILD_OUT"

if [ -n "${WEB_WORKERS:-}" ]; then
  puma --config config/puma.rb --silent &
  server=$!
  trap 'kill "$server"; wait "$server" || true' EXIT
  until curl --silent --fail --output "$BUILD_OUT/answer" --unix-socket "$BUILD_OUT/puma.sock" http://shop/; do
    kill -0 "$server"
    sleep 0.1
  done
  echo "the web server answers: $(cat "$BUILD_OUT/answer")"
fi

rake assets:precompile
echo "precompiled"
