import CallreelCommand
import CallreelCore
import CallreelSinks

var sinks = SinkRegistry.builtIn
sinks.register(VoiceActivity.self)
await CommandLineTool(sinks: sinks).run()
