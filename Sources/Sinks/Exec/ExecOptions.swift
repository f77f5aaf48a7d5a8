public import CallreelCore

/// The options of an `exec` sink.
public struct ExecOptions: Configurable {
    /// The format of the audio on the program's standard input.
    public enum Input: String, CaseIterable, Sendable {
        /// A WAV header without a length, then 16-bit samples.
        case wav
        /// Bare 16-bit little-endian samples.
        case pcm
    }

    /// The program and its arguments. Configuration must set them; the default is an example.
    public var command = ["wc", "-c"]
    /// The format of the program's input.
    public var input = Input.wav
    /// The extension of the file that the program writes. Nil if it writes none.
    public var `extension`: String?
    /// Variables of the server's environment for the program, in addition to the usual ones.
    public var environment: [String] = []
    /// Time limit in seconds, 0.1 to 3600. The program may take no input for that long,
    /// and may run for that long after its input.
    public var deadline = 30.0

    /// Every option at its default.
    public init() {}

    /// The keys of an `{"type": "exec"}` entry.
    public static let fields: [Field<Self>] = [
        command.required(),
        .choice(
            "input", \.input,
            "The program's standard input: wav has a header without a length; pcm is bare 16-bit little-endian samples."
        ),
        .string(
            "extension", \.extension, type: "file name ending",
            "The ending of the {output} file's name, such as mp3; null if the program writes no file."
        ) {
            let isPlain = $0.utf8.allSatisfy { byte in
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
            }
            if $0.isEmpty || $0.utf8.count > 16 || !isPlain {
                return "is not an ending such as \"mp3\", of at most 16 letters and digits"
            }
            return $0.lowercased() == "json" ? "is the manifest's ending" : nil
        },
        .strings(
            "environment", \.environment, of: "names",
            "Variables of the program besides \(ProgramEnvironment.usual.joined(separator: ", ")). It gets no others."
        ) {
            let isName = !$0.isEmpty && !$0.contains("=") && !$0.contains("\0") && $0.first?.isNumber == false
            return isName ? nil : "is not the name of a variable, such as \"API_KEY\""
        },
        .number(
            "deadline", \.deadline, in: 0.1...3600,
            "Seconds for which the program may read no input, or run after it. Then it is ended, and the sink fails."
        ),
    ]

    /// The field for the program and its arguments.
    private static var command: Field<Self> {
        Field(
            "command", type: "list of a program and its arguments",
            schema: ["type": "array", "items": .object(["type": "string"]), "minItems": 1],
            help: "The program and its arguments, each in its own quotes, without a shell. Placeholders: "
                + CommandTemplate.placeholders.map { "{\($0)}" }.joined(separator: " ") + "."
        ) { value, place, root, problems in
            if case .string = value {
                let reason =
                    "\(value.found) is one text, and no shell splits it: list the program and each argument, such as "
                return problems.append(.init(at: place, reason + #"["ffmpeg", "-i", "-", "-y", "{output}"]"#))
            }
            guard case .array(let elements) = value else {
                return problems.append(.init(at: place, "\(value.found) is not a list such as [\"wc\", \"-c\"]"))
            }
            var words: [String] = []
            for (index, element) in elements.enumerated() {
                guard let word = element.string else {
                    problems.append(.init(at: place.index(index), "\(element.found) is not text in double quotes"))
                    continue
                }
                words.append(word)
            }
            guard words.count == elements.count else { return }
            do throws(CommandError) {
                _ = try CommandTemplate(words)
                root.command = words
            } catch {
                problems.append(.init(at: error.index.map(place.index) ?? place, error.reason))
            }
        } write: {
            .array($0.command.map(JSONValue.string))
        }
    }
}
