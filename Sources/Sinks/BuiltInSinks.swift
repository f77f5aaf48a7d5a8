public import CallreelCore

extension SinkRegistry {
    /// The sinks of Callreel with an output. This is their only list. Add your own sinks to a copy.
    ///
    /// ``NullSink`` and ``MemorySink`` are for tests and are not in this list.
    /// A program that needs them must register them.
    public static var builtIn: SinkRegistry {
        var registry = SinkRegistry()
        registry.register(WAVSink.self)
        registry.register(FLACSink.self)
        registry.register(RawSink.self)
        registry.register(SndfileSink.self)
        registry.register(ExecSink.self)
        registry.rateConverter = SampleRateConverter.make
        return registry
    }
}
