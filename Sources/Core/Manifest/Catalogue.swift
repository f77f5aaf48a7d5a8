/// The published recordings, as far as running calls need them. The recorder reports each recording that it publishes.
package protocol Catalogue: Sendable {
    /// Adds a recording that was just published, or replaces its entry.
    func add(_ recording: Recording)
    /// Returns the name of the newest recording of a call: by its uuid, or else by its conversation.
    func name(of facts: CallFacts) -> String?
    /// Brings the catalogue in line with the recordings directory. Blocks.
    /// - Parameter onFound: called with each recording that is read for the first time.
    func scan(_ directory: String, onFound: (Recording) -> Void)
}

/// A catalogue that knows no recording, for recorders that record a single call.
package struct NoCatalogue: Catalogue {
    /// Makes a catalogue.
    package init() {}

    package func add(_ recording: Recording) {}

    package func name(of facts: CallFacts) -> String? { nil }

    package func scan(_ directory: String, onFound: (Recording) -> Void) {}
}
