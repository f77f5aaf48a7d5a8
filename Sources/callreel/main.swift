import CallreelCommand
import CallreelCore
import CallreelSinks

// The built-in sinks and the command line: a program with sinks of its own registers them here.
await CommandLineTool(registry: .builtIn).run()
