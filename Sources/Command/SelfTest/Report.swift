/// One line of the table: what was sent in some calls, and what of it is in the files of one sink.
struct Row: Sendable {
    let scenario: String
    /// The sink, or what else was looked at.
    let what: String
    private(set) var calls = 0
    private(set) var sent = 0
    private(set) var held = 0
    private(set) var allowed = 0
    /// What is not as it should be, in words.
    var problems: [String] = []

    init(_ scenario: String, _ what: String, calls: Int = 0) {
        self.scenario = scenario
        self.what = what
        self.calls = calls
    }

    /// Frames that were sent and are not in the files.
    var lost: Int { sent - held }

    /// Adds a call. More may not be missing than is allowed, in each call by itself; and more than was sent cannot be there.
    mutating func add(sent: Int, held: Int, allowed: Int, problem: String? = nil) {
        calls += 1
        self.sent += sent
        self.held += held
        self.allowed += allowed
        if let problem {
            problems.append(problem)
        } else if sent - held > allowed {
            problems.append("\(sent - held) of \(sent) frames are missing; at most \(allowed) may be")
        } else if held > sent {
            problems.append("\(held) frames are there, of \(sent) that were sent")
        }
    }

    /// Notes a problem unless something holds.
    mutating func expect(_ isRight: Bool, _ problem: @autoclosure () -> String) { if !isRight { problems.append(problem()) } }

    static let heads = ["scenario", "format/sink", "calls", "frames sent", "in the file", "lost", "allowed", "verdict"]

    /// The cells of the table. A row that is not about frames has none.
    var cells: [String] {
        let frames = sent == 0 ? ["-", "-", "-", "-"] : ["\(sent)", "\(held)", "\(lost)", "\(allowed)"]
        return [scenario, what, "\(calls)"] + frames + [problems.isEmpty ? "ok" : "FAILED"]
    }
}

/// What one scenario found.
struct Report: Sendable {
    var rows: [Row] = []
    /// What was used, and figures that are not frames of a call.
    var notes: [String] = []

    /// A scenario that this system does not allow. That is a failure, unless the scenario is skipped on purpose.
    static func notRun(_ scenario: String, _ reason: String) -> Report {
        var row = Row(scenario, "NOT RUN")
        row.problems = ["not run: \(reason); --skip \(scenario) does without"]
        return Report(rows: [row])
    }

    /// Whether everything is as it should be.
    var isGood: Bool { rows.allSatisfy(\.problems.isEmpty) }
}
