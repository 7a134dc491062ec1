const path = require("path");

// The installed packages are kept outside, in a cache folder that outlives a test.
const modules = process.env.NODE_PATH;

module.exports = {
  mode: "production",
  devtool: "source-map",
  entry: path.join(__dirname, "entry.js"),
  output: { path: process.env.BUILD_OUT, filename: "[name].[contenthash].js", clean: true },
  resolve: { modules: [modules] },
  resolveLoader: { modules: [modules] },
  performance: { hints: false },
};
