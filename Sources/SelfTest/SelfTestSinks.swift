package import CallreelCore

extension SinkRegistry {
    /// These sinks and the self-test's own.
    package var withSelfTestSinks: SinkRegistry {
        var registry = self
        registry.register(PipeSink.self)
        registry.register(DroppingSink.self)
        return registry
    }
}
