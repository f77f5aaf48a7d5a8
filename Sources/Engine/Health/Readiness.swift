import CallreelCore

/// The recorder's readiness for new calls: obstacles, and warnings for the operator.
package struct Readiness: Sendable {
    /// A reason for refusing new calls.
    package struct Obstacle: Hashable, Sendable {
        /// The kind of obstacle.
        package enum Kind: String, CaseIterable, Sendable {
            /// The program is shutting down.
            case draining
            /// The recordings directory cannot be used, or a disk needed by every call is full.
            case disk
            /// A required sink cannot be opened.
            case sink
            /// The limit on running calls is reached.
            case calls
        }

        package let kind: Kind
        /// The reason as text, with the value or path concerned.
        package let reason: String

        /// Creates an obstacle.
        package init(_ kind: Kind, _ reason: String) {
            self.kind = kind
            self.reason = reason
        }
    }

    /// Obstacles to new calls. Empty if the recorder accepts calls.
    package var obstacles: [Obstacle] = []
    /// Problems the operator should know about while calls are still accepted.
    package var warnings: [String] = []

    /// True when the recorder accepts new calls.
    package var isReady: Bool { obstacles.isEmpty }
}
