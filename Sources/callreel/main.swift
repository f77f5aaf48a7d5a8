import CallreelCarriers
import CallreelCommand
import CallreelCore
import CallreelDeliveries
import CallreelFilters
import CallreelSinks

// The built-in plug-ins and the command line. A program with plug-ins of its own registers them here.
await CommandLineTool(sinks: .builtIn, carriers: .builtIn, filters: .builtIn, deliveries: .builtIn).run()
