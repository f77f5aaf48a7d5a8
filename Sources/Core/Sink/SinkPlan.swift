/// The keys that every sink entry of the configuration has, whatever its type.
public struct SinkEnvelope: Configurable {
    /// How files and messages call this entry; by default its type, with a number from the second of a type on.
    public var name: String?
    /// Whether the entry is used at all.
    public var enabled = true
    /// Where this sink's files go; nil is the recordings directory.
    public var directory: String?
    /// Where this sink goes on when its directory fails; nil is nowhere.
    public var fallback: String?
    /// Whether a call is refused when this sink cannot open.
    public var required = false
    /// What becomes of the call when this sink fails later.
    public var onError = ErrorPolicy.continue
    /// Seconds of audio that may wait for this sink before the call's socket is no longer read.
    public var buffer = 30.0
    /// Seconds without progress after which a full sink is left behind, so that the call goes on without it.
    public var stallLimit = 10.0
    /// Seconds between two checkpoints.
    public var checkpoint = 1.0
    /// Seconds between two syncs of the files to stable storage while the call runs; 0 is only at its end.
    public var sync = 0.0
    /// Seconds that closing may take after the call's end.
    public var finishLimit = 60.0

    /// What becomes of a call when one of its sinks fails.
    public enum ErrorPolicy: String, CaseIterable, Sendable {
        /// The call and its other sinks go on.
        case `continue`
        /// The call is ended, so that nobody goes on speaking to a recorder that does not record as it should.
        case stopCall
    }

    /// Every key at its default.
    public init() {}

    public static let fields: [Field<Self>] = [
        .string("name", \.name, type: "letters, digits, - and _", "How files and messages call this entry; null uses its type.") {
            // Files in a sink's fallback carry that word.
            if $0.lowercased() == "fallback" { return "is taken by the program itself" }
            return isPlainName($0) ? nil : "is not made of letters, digits, - and _ alone"
        },
        .boolean("enabled", \.enabled, "Whether this entry is used."),
        .string(
            "directory", \.directory, type: "path",
            "Where this sink's files go; null is the recordings directory. The manifest is always there.", check: isPath),
        .string(
            "fallback", \.fallback, type: "path",
            "Where this sink goes on when its directory fails, without losing a frame; null is nowhere.", check: isPath),
        .boolean("required", \.required, "Whether calls are refused while this sink cannot open."),
        .choice("onError", \.onError, "What becomes of the call when this sink fails later: it goes on, or it is ended."),
        .number("buffer", \.buffer, in: 0.5...600, "Seconds of audio that may wait for this sink; when it is full, the call's socket is not read."),
        .number(
            "stallLimit", \.stallLimit, in: 0.1...600,
            "Seconds without progress after which a full sink is left behind; what it misses becomes silence."),
        .number("checkpoint", \.checkpoint, in: 0.1...3600, "Seconds between two checkpoints, each of which makes the file readable as it stands."),
        .number(
            "sync", \.sync, in: 0...3600,
            "Seconds between two syncs of a running call's files to the disk: the most that a power cut takes. 0 syncs at the call's end only."),
        .number("finishLimit", \.finishLimit, in: 1...3600, "Seconds that closing the file may take before the recording is published without it."),
    ]
}

/// What is wrong with a path.
private func isPath(_ path: String) -> String? {
    path.isEmpty || path.contains("\0") ? "is not a path such as \"/mnt/archive\"" : nil
}

/// Whether a name can stand in file names and messages as it is.
private func isPlainName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 32
        && name.utf8.allSatisfy {
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "-")
                || $0 == UInt8(ascii: "_")
        }
}

/// One sink entry of the configuration, checked: everything needed to serve a call with it.
public struct SinkPlan: Sendable {
    /// The registered type.
    public let type: String
    /// The entry's name, unique among the plans.
    public let name: String
    /// What every sink has.
    public let envelope: SinkEnvelope
    /// Whether this is the first entry of its type, whose files carry no sink name.
    let isFirstOfType: Bool
    /// The type with its options.
    let runner: SinkRunner
    /// Whether the entry can be opened, as far as is known.
    let health = SinkHealth()
    /// Threads for this entry alone, so that a destination that blocks holds up nobody else's.
    let executor: BlockingExecutor

    /// The directories under which the sink's files may appear, the first choice first; nil is the recordings directory.
    func roots(in store: RecordingStore) -> [String?] {
        [store.root(envelope.directory)] + (envelope.fallback.map { [store.root($0)] } ?? [])
    }

    /// Reads the `sinks` array of a configuration and reports every mistake in it. Disabled entries are checked
    /// and left out. `format` is the shape of the audio that calls will bring, where it is known.
    public static func read(
        _ value: JSONValue, at path: ConfigurationPath, registry: SinkRegistry, format: AudioFormat? = nil, problems: inout [ConfigurationProblem]
    ) -> [SinkPlan] {
        guard case .array(let elements) = value else {
            problems.append(.init(at: path, "\(value.found) is not a list of sinks such as [{\"type\": \"wav\"}]"))
            return []
        }
        var plans: [SinkPlan] = []
        var names: Set<String> = []
        var seen: [String: Int] = [:]
        for (index, element) in elements.enumerated() {
            let place = path.index(index)
            guard let entry = entry(element, at: place, registry: registry, problems: &problems) else {
                // Nobody knows its options, but what every sink has can be checked.
                if case .object = element { _ = SinkEnvelope.read(element, at: place, alongside: nil, problems: &problems) }
                continue
            }
            let envelope = SinkEnvelope.read(
                element, at: place, alongside: ["type"] + entry.options.map(\.name), problems: &problems)
            let before = problems.count
            let runner = entry.prepare(element, place, &problems)
            // Options with mistakes are in part at their defaults, of which nothing can be said.
            if let format, problems.count == before, let reason = runner.refusal(format) { problems.append(.init(at: place, reason)) }
            let number = seen[entry.type, default: 0] + 1
            seen[entry.type] = number
            let name = envelope.name ?? (number == 1 ? entry.type : "\(entry.type)-\(number)")
            if !names.insert(name.lowercased()).inserted {
                problems.append(.init(at: place.key("name"), "\"\(name)\" is the name of another sink already"))
            }
            if let directory = envelope.directory, directory == envelope.fallback {
                problems.append(.init(at: place.key("fallback"), "\"\(directory)\" is the directory itself, which would fail in the same way"))
            }
            guard envelope.enabled else { continue }
            plans.append(
                SinkPlan(
                    type: entry.type, name: name, envelope: envelope, isFirstOfType: number == 1, runner: runner,
                    executor: BlockingExecutor(name: name)))
        }
        return plans
    }

    private static func entry(
        _ element: JSONValue, at place: ConfigurationPath, registry: SinkRegistry, problems: inout [ConfigurationProblem]
    ) -> SinkRegistry.Entry? {
        let known = registry.types.map(\.type)
        guard case .object(let members) = element else {
            problems.append(.init(at: place, "\(element.found) is not a sink such as {\"type\": \"\(known.first ?? "wav")\"}"))
            return nil
        }
        let list = known.joined(separator: ", ")
        guard let type = members["type"] else {
            let near = "type".nearest(in: members.keys.sorted()).map { "; is \"\($0)\" meant to be \"type\"?" } ?? ""
            problems.append(.init(at: place.key("type"), "is missing; known types are \(list)\(near)"))
            return nil
        }
        guard let name = type.string, let entry = registry[name] else {
            let near = type.string?.nearest(in: known).map { "; did you mean \"\($0)\"?" } ?? ""
            problems.append(.init(at: place.key("type"), "\(type.found) is not a known type; known types are \(list)\(near)"))
            return nil
        }
        return entry
    }
}
