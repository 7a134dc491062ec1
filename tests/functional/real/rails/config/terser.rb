require "open3"

# Minifies scripts with terser in a node of its own. Debian's gem for it needs Debian's node, which not every machine has.
class Terser
  PROGRAM = File.join(ENV.fetch("NODE_PATH"), "terser", "bin", "terser")

  def call(input)
    output, status = Open3.capture2("node", PROGRAM, "--compress", "--mangle", stdin_data: input[:data])
    raise "terser: #{status}" unless status.success?

    { data: output }
  end
end
