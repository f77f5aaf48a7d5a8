swift build
.build/debug/recorder sinks
.build/debug/recorder sinks describe peak
