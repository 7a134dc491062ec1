#!/bin/sh
# Builds the front end; the last command is not exec'ed, so a killed node is 137 and "Killed", as in a deploy's own shell.
set -e
echo "building the front end"
node "$NODE_PATH/webpack/bin/webpack.js" --config webpack.config.cjs
echo "built"
