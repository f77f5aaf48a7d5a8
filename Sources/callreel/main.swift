import CallreelCarriers
import CallreelCommand
import CallreelCore
import CallreelSinks

// The built-in plug-ins and the command line. A program with its own sinks or carriers registers them here.
await CommandLineTool(sinks: .builtIn, carriers: .builtIn).run()
