import CallreelCommand
import CallreelCore
import CallreelDeliveries
import CallreelSinks

var deliveries = DeliveryRegistry.builtIn
deliveries.register(Transcriber.self)
await CommandLineTool(sinks: .builtIn, deliveries: deliveries).run()
