public import CallreelCore

extension FilterRegistry {
    /// The filters of Callreel. This is their only list. Add your own filters to a copy.
    public static var builtIn: FilterRegistry {
        var registry = FilterRegistry()
        registry.register(GainFilter.self)
        registry.register(HighPassFilter.self)
        registry.register(SilenceFilter.self)
        registry.register(AGCFilter.self)
        return registry
    }
}
