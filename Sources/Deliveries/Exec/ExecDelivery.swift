public import CallreelCore
import CallreelSinks

/// Runs a program for each finished recording, with the manifest's path as its last argument.
///
/// This is the plug-in for people who do not write Swift: an upload, a message, a transcript. Status 0 means that the
/// recording is delivered. After any other status the program is run again later. It runs in the server's directory and
/// in its own process group, with an empty standard input and a few usual variables. Its output is read all the time;
/// the manifest has the last few thousand bytes of it.
///
/// At the deadline the program gets SIGTERM, and SIGKILL five seconds later. At the end of the server it gets SIGTERM,
/// and runs again at the next start. A program that ignores SIGTERM, or whose server is killed, may then still be at
/// work.
public struct ExecDelivery: Delivery {
    public static let type = "exec"
    public static let summary = "runs a program for each finished recording, with its manifest's path"

    private let options: ExecDeliveryOptions
    private let deadline: Double

    public static func refusal(options: ExecDeliveryOptions) -> String? {
        if options.command.first?.isEmpty ?? true {
            return "\"command\" names no program; write a list such as [\"./upload.sh\"]"
        }
        return options.command.contains { $0.contains("\0") }
            ? "\"command\" contains a zero byte, which an argument cannot have" : nil
    }

    public static func obstacle(options: ExecDeliveryOptions) -> String? {
        ProgramRun.obstacle(options.command, environment: options.environment)
    }

    public init(options: ExecDeliveryOptions, context: DeliveryContext) {
        self.options = options
        deadline = context.deadline / .seconds(1)
    }

    public func deliver(_ recording: PublishedRecording) async throws(DeliveryError) -> DeliveryReceipt {
        let program = options.command[0]
        let run: ProgramRun
        do throws(SinkError) {
            run = try await ProgramRun.run(
                options.command + [recording.manifestPath], environment: options.environment, deadline: deadline)
        } catch {
            throw DeliveryError(error.description)
        }
        guard run.hasSucceeded else {
            throw DeliveryError("\"\(program)\" \(run.ending)\(run.lastWords)")
        }
        var details: [String: JSONValue] = ["program": .string(program)]
        if !run.output.isEmpty { details["stdout"] = .string(run.output) }
        if !run.errors.isEmpty { details["stderr"] = .string(run.errors) }
        return DeliveryReceipt(details: details)
    }
}

/// The options of a `{"type": "exec"}` entry of `deliveries`.
public struct ExecDeliveryOptions: Configurable {
    /// The program and its arguments. The path of the manifest follows them.
    public var command = ["./deliver.sh"]
    /// Variables of the server's environment for the program, in addition to the usual ones.
    public var environment: [String] = []

    /// Makes options with every value at its default.
    public init() {}

    public static let fields: [Field<Self>] = [
        Field.strings(
            "command", \.command, of: "a program and its arguments",
            "The program and its arguments, each in its own quotes, without a shell. The manifest's path follows them."
        ).required(),
        .strings(
            "environment", \.environment, of: "names",
            "Variables of the server's environment for the program, besides the usual ones. It gets no others."
        ) {
            let isName = !$0.isEmpty && !$0.contains("=") && !$0.contains("\0") && $0.first?.isNumber == false
            return isName ? nil : "is not the name of a variable, such as \"API_KEY\""
        },
    ]
}
