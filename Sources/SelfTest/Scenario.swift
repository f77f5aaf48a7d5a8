/// Settings for the run of a scenario.
package struct Bench: Sendable {
    /// The scenario's working directory. A scenario creates it if needed.
    package let directory: String
    /// The short form was asked for.
    package let isQuick: Bool
    /// The planted defect.
    package let fault: Fault?

    /// Makes settings.
    package init(directory: String, isQuick: Bool, fault: Fault?) {
        self.directory = directory
        self.isQuick = isQuick
        self.fault = fault
    }
}

/// A treatment of a server, and checks of the files afterwards.
package struct Scenario: Sendable {
    package let name: String
    package let summary: String
    package let run: @Sendable (Bench) async throws -> Report

    /// All scenarios, in running order.
    package static let all = [
        kill, recovery, stall, fill, flood, endings, names, hung, slow, givenUp, programs, retry, rehearsal, unmounted,
    ]
}
