import CallreelCommand
import CallreelCore
import CallreelSinks

var sinks = SinkRegistry.builtIn
sinks.register(HTTPStream.self)
await CommandLineTool(sinks: sinks).run()
