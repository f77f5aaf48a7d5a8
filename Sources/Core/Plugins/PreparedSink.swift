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
    /// Suffixes of the sink's files, as far as they are known beforehand.
    package let fileSuffixes: [String]
    /// Returns the reason why the sink cannot work on this machine now, or nil. Blocks.
    package let findObstacle: @Sendable () -> String?
    /// Opens the sink and releases it, to test whether it can be opened.
    package let open: @Sendable (SinkContext) async throws(SinkError) -> Void
    /// Passes the type and its options to a visitor.
    package let accept: @Sendable (any SinkVisitor) -> Void

    /// Prepares a sink type.
    init<Sink: AudioSink & ~Copyable>(_ sink: Sink.Type, options: Sink.Options) {
        type = Sink.type
        refusal = { format in Sink.refusal(of: format, options: options) }
        fileSuffixes = Sink.fileSuffixes(options: options)
        findObstacle = { Sink.obstacle(options: options) }
        open = { context throws(SinkError) in _ = try await Sink(options: options, context: context) }
        accept = { visitor in visitor.visit(Sink.self, options: options) }
    }
}
