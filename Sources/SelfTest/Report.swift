/// One line of the table: frames sent in some calls, and frames found in the files of one sink.
package struct Row: Sendable {
    package let scenario: String
    /// The sink, or another subject of the check.
    package let what: String
    private(set) var calls = 0
    private(set) var sent = 0
    private(set) var held = 0
    private(set) var allowed = 0
    /// The problems found, in words.
    package var problems: [String] = []

    package init(_ scenario: String, _ what: String, calls: Int = 0) {
        self.scenario = scenario
        self.what = what
        self.calls = calls
    }

    /// Frames sent and not found in the files.
    var lost: Int { sent - held }

    /// Adds a call. In each call, at most `allowed` frames may be missing, and no more may be held than were sent.
    mutating func add(sent: Int, held: Int, allowed: Int, problem: String? = nil) {
        calls += 1
        self.sent += sent
        self.held += held
        self.allowed += allowed
        if let problem {
            problems.append(problem)
        } else if sent - held > allowed {
            problems.append("\(sent - held) of \(sent) frames are missing; at most \(allowed) are allowed")
        } else if held > sent {
            problems.append("the file has \(held) frames, but \(sent) were sent")
        }
    }

    /// Adds a problem unless the condition holds.
    mutating func expect(_ isRight: Bool, _ problem: @autoclosure () -> String) {
        if !isRight { problems.append(problem()) }
    }

    package static let heads = [
        "scenario", "format/sink", "calls", "frames sent", "in the file", "lost", "allowed", "verdict",
    ]

    /// The cells of the table. A row without frames shows a dash in each column of frames.
    package var cells: [String] {
        let frames = sent == 0 ? ["-", "-", "-", "-"] : ["\(sent)", "\(held)", "\(lost)", "\(allowed)"]
        return [scenario, what, "\(calls)"] + frames + [problems.isEmpty ? "ok" : "FAILED"]
    }
}

/// The findings of one scenario.
package struct Report: Sendable {
    package var rows: [Row] = []
    /// The programs and disks used, and figures other than frames of a call.
    package var notes: [String] = []

    /// Makes a report.
    package init(rows: [Row] = [], notes: [String] = []) {
        self.rows = rows
        self.notes = notes
    }

    /// Reports a scenario that this system does not allow. It counts as a failure unless the user skips it.
    static func notRun(_ scenario: String, _ reason: String) -> Report {
        var row = Row(scenario, "NOT RUN")
        row.problems = ["not run: \(reason); use --skip \(scenario) to pass without it"]
        return Report(rows: [row])
    }

    /// No row has a problem.
    package var isGood: Bool { rows.allSatisfy(\.problems.isEmpty) }
}
