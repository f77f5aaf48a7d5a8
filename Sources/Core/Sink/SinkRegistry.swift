/// The sink types that configuration may ask for, by name.
public struct SinkRegistry: Sendable {
    /// A registered type: its name, summary and options, and the functions that use it.
    public struct Entry: Sendable {
        /// The name in configuration.
        public let type: String
        /// The sink's product, described in one line.
        public let summary: String
        /// Its options, for documentation.
        public let options: [OptionDescription]
        /// The JSON Schema (draft 2020-12) of an entry of this type, with the keys that every sink has.
        public let schema: JSONValue
        /// Reads options, reports every mistake, and returns the runner for calls. The generic type lives on
        /// inside this closure alone.
        let prepare: @Sendable (JSONValue, ConfigurationPath, inout [ConfigurationProblem]) -> SinkRunner
        /// ``AudioSink/repair(_:format:dryRun:)`` of the type.
        let repair: @Sendable (String, AudioFormat, Bool) throws(SinkError) -> FileRepair?
        /// ``AudioSink/decode(_:format:into:)`` of the type.
        let decode: @Sendable (String, AudioFormat, (Span<Int16>) -> Void) throws(SinkError) -> DecodedFile?
    }

    /// One option of a sink.
    public struct OptionDescription: Sendable {
        /// The key.
        public let name: String
        /// The allowed values, in words.
        public let type: String
        /// The option's meaning.
        public let help: String
        /// The default, or an example if the option is required.
        public let standard: JSONValue
        /// The option must be given.
        public let isRequired: Bool
    }

    /// Makes a converter from one rate to another, for a number of channels.
    package typealias RateConverterMaker =
        @Sendable (_ source: Int, _ target: Int, _ channels: Int) throws(SinkError) -> any RateConverter

    private var entries: [String: Entry] = [:]
    /// Makes rate converters; nil refuses entries that ask for another rate than the call's.
    package var rateConverter: RateConverterMaker?

    /// Makes an empty registry.
    public init() {}

    /// Every registered type, sorted by name.
    public var types: [Entry] { entries.values.sorted { $0.type < $1.type } }

    /// The type registered under a name.
    public subscript(type: String) -> Entry? { entries[type] }

    /// Adds a sink type.
    ///
    /// Traps if the name is malformed or registered already, or if an option hides a key that every sink has. These are
    /// programming errors.
    public mutating func register<Sink: AudioSink & ~Copyable>(_ sink: Sink.Type) {
        let type = Sink.type
        precondition(
            type.first?.isLetter == true && type.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) },
            "a sink type is a letter, then letters and digits; \"\(type)\" is not")
        precondition(entries[type] == nil, "a sink type \"\(type)\" is registered already")
        let envelope = ["type"] + SinkEnvelope.fields.map(\.name)
        for field in Sink.Options.fields {
            precondition(
                !envelope.contains(field.name),
                "\"\(type)\" has an option \"\(field.name)\", which every sink has already")
        }
        let standard = Sink.Options().json
        entries[type] = Entry(
            type: type, summary: Sink.summary,
            options: Sink.Options.fields.map {
                OptionDescription(
                    name: $0.name, type: $0.type, help: $0.help, standard: standard[$0.name] ?? .null,
                    isRequired: $0.isRequired)
            },
            schema: .object(Self.schema(type, summary: Sink.summary, options: Sink.Options.self)),
            prepare: { value, path, problems in
                let options = Sink.Options.read(value, at: path, alongside: nil, problems: &problems)
                return SinkRunner(
                    refusal: { format in Sink.refusal(of: format, options: options) },
                    fileSuffixes: Sink.fileSuffixes(options: options),
                    findObstacle: { Sink.obstacle(options: options) },
                    start: { job, threads, whenDone in
                        SinkService<Sink>.start(options, job, on: threads, whenDone: whenDone)
                    },
                    open: { context throws(SinkError) in _ = try await Sink(options: options, context: context) })
            },
            repair: { path, format, dryRun throws(SinkError) in try Sink.repair(path, format: format, dryRun: dryRun) },
            decode: { path, format, body throws(SinkError) in try Sink.decode(path, format: format, into: body) })
    }
}

extension SinkRegistry {
    /// Returns the JSON Schema of an entry of a type.
    private static func schema<Options: Configurable>(_ type: String, summary: String, options: Options.Type)
        -> [String: JSONValue]
    {
        let envelope = SinkEnvelope.schema(alongside: ["type": .object(["const": .string(type)])])
        guard case .object(let shared) = envelope["properties"] else { return envelope }
        let required = ["type"] + Options.requiredKeys
        return Options.schema(alongside: shared).merging([
            "required": .array(required.map(JSONValue.string)), "description": .string(summary),
        ]) { _, new in new }
    }
}

/// A sink type with its options, ready to serve any number of calls.
struct SinkRunner: Sendable {
    /// Returns the reason why the options cannot work for audio of a shape, or nil.
    let refusal: @Sendable (AudioFormat) -> String?
    /// Suffixes of the sink's files, as far as they are known beforehand.
    let fileSuffixes: [String]
    /// Returns the reason why the sink cannot work on this machine now, or nil. Blocks.
    let findObstacle: @Sendable () -> String?
    /// Starts to serve one call: opens the sink, drains the queue into it, finishes it, and reports.
    let start: @Sendable (SinkJob, SinkThreads, _ whenDone: @escaping @Sendable (SinkReport) -> Void) -> Void
    /// Opens the sink and releases it, to test whether it can be opened.
    let open: @Sendable (SinkContext) async throws(SinkError) -> Void
}
