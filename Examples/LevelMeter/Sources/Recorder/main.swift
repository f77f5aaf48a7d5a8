import CallreelCommand
import CallreelCore
import CallreelSinks

var sinks = SinkRegistry.builtIn
sinks.register(LevelMeter.self)
await CommandLineTool(sinks: sinks).run()
