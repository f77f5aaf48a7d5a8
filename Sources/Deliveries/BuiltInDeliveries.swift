public import CallreelCore

extension DeliveryRegistry {
    /// The deliveries of Callreel. This is their only list. Add your own deliveries to a copy.
    public static var builtIn: DeliveryRegistry {
        var registry = DeliveryRegistry()
        registry.register(ExecDelivery.self)
        return registry
    }
}
