/// Code that works with any sink type. ``PreparedSink/accept(_:)`` calls it with the type at hand.
package protocol SinkVisitor {
    /// Works with a sink type and its options.
    func visit<Sink: AudioSink & ~Copyable>(_ sink: Sink.Type, options: Sink.Options)
}

/// A sink type with its options, ready to serve any number of calls. The generic type lives on inside it alone.
package struct PreparedSink: Sendable {
    /// The registered type.
    package let type: String
    /// Returns the reason why the options cannot work for audio of a shape, or nil.
    package let refusal: @Sendable (AudioFormat) -> String?
    /// The sink's files, as far as they are known beforehand.
    package let files: SinkFiles
    /// Returns the reason why the sink cannot work on this machine now, or nil. Blocks.
    package let findObstacle: @Sendable () -> String?
    /// Finds out whether the destination works, by the type's own probe, or by opening an instance and releasing it.
    package let probe: @Sendable (SinkContext) async throws(SinkError) -> Void
    /// Passes the type and its options to a visitor.
    package let accept: @Sendable (any SinkVisitor) -> Void

    /// Prepares a sink type.
    init<Sink: AudioSink & ~Copyable>(_ sink: Sink.Type, options: Sink.Options) {
        type = Sink.type
        refusal = { format in Sink.refusal(of: format, options: options) }
        files = Sink.files(options: options)
        findObstacle = { Sink.obstacle(options: options) }
        probe = { context async throws(SinkError) in
            switch try await Sink.probe(options: options, context: context) {
            case .works: break
            case .unknown: _ = try await Sink(options: options, context: context)
            }
        }
        accept = { visitor in visitor.visit(Sink.self, options: options) }
    }
}
