import CallreelCommand
import CallreelCore
import CallreelSinks

// The built-in sinks and the command line. A program with its own sinks registers them here.
await CommandLineTool(registry: .builtIn).run()
