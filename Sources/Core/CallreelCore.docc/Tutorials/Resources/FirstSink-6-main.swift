import CallreelCommand
import CallreelCore
import CallreelSinks

var sinks = SinkRegistry.builtIn
sinks.register(PeakSink.self)
await CommandLineTool(sinks: sinks).run()
