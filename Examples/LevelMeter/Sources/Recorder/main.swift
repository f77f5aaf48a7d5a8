import CallreelCommand
import CallreelCore
import CallreelSinks

var registry = SinkRegistry.builtIn
registry.register(LevelMeter.self)
await CommandLineTool(registry: registry).run()
