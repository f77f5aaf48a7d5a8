/// The plug-in types that a program knows.
///
/// A package of plug-ins can offer all of its types in one function:
///
/// ```swift
/// public func addAcme(to plugins: inout Plugins) {
///     plugins.sinks.register(AcmeSink.self)
///     plugins.filters.register(AcmeFilter.self)
///     plugins.deliveries.register(AcmeUpload.self)
/// }
/// ```
///
/// A program takes all of them with one call, beside those of Callreel: `var plugins = Plugins.builtIn`, then
/// `addAcme(to: &plugins)`, then `await CommandLineTool(plugins).run()`.
public struct Plugins: Sendable {
    /// The sinks, which take the audio during the call.
    public var sinks: SinkRegistry
    /// The carriers, which bring the audio in.
    public var carriers: CarrierRegistry
    /// The filters, which change the audio on its way to one sink.
    public var filters: FilterRegistry
    /// The deliveries, which take finished recordings on.
    public var deliveries: DeliveryRegistry

    /// Takes the types of a program.
    public init(
        sinks: SinkRegistry = SinkRegistry(), carriers: CarrierRegistry = CarrierRegistry(),
        filters: FilterRegistry = FilterRegistry(), deliveries: DeliveryRegistry = DeliveryRegistry()
    ) {
        self.sinks = sinks
        self.carriers = carriers
        self.filters = filters
        self.deliveries = deliveries
    }
}
