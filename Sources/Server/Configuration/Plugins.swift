package import CallreelCore

/// The plug-in types that a program knows.
package struct Plugins: Sendable {
    /// The sinks.
    package let sinks: SinkRegistry
    /// The carriers.
    package let carriers: CarrierRegistry

    /// Takes the types of a program.
    package init(sinks: SinkRegistry, carriers: CarrierRegistry) {
        self.sinks = sinks
        self.carriers = carriers
    }
}
