public import CallreelCore

extension CarrierRegistry {
    /// The carriers of Callreel. This is their only list. Add your own carriers to a copy.
    public static var builtIn: CarrierRegistry {
        var registry = CarrierRegistry()
        registry.register(Vonage.self, isStandard: true)
        registry.register(PCM.self)
        return registry
    }
}
