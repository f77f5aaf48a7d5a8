import CallreelCommand

// The built-in plug-ins and the command line. A program with plug-ins of its own registers them here.
await CommandLineTool(.builtIn).run()
