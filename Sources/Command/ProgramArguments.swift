import CallreelCore

/// The arguments that the process was started with.
enum ProgramArguments {
    /// All of them, the program's own name first. Nil where the system does not tell.
    ///
    /// On Linux Swift reads them from `/proc`. A program must not go on without it: libdispatch looks at its threads there, and ends the process
    /// sooner or later when it cannot.
    static let all: [String]? = CommandLine.arguments.isEmpty ? nil : CommandLine.arguments

    /// The program's name, as it was called.
    static let path = all?.first.flatMap { $0.isEmpty ? nil : $0 } ?? "callreel"

    /// The last component of ``path``.
    static let name = path.lastPathComponent
}
