import CallreelCore

/// The process's command-line arguments.
enum ProgramArguments {
    /// All arguments, the program's own name first. Nil if the system does not provide them.
    ///
    /// On Linux, Swift reads them from `/proc`. A program must not run without `/proc`: libdispatch looks at its
    /// threads there, and if it cannot, it ends the process sooner or later.
    static let all: [String]? = CommandLine.arguments.isEmpty ? nil : CommandLine.arguments

    /// The program's name, as it was called.
    static let path = all?.first.flatMap { $0.isEmpty ? nil : $0 } ?? "callreel"

    /// The last component of ``path``.
    static let name = path.lastPathComponent
}
