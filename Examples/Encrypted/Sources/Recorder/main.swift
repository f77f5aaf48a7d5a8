import CallreelCommand
import CallreelCore
import CallreelSinks

var sinks = SinkRegistry.builtIn
sinks.register(Encrypted.self)
await CommandLineTool(sinks: sinks).run()
