/// How much room must be left on the disks that recordings go to.
package struct SpaceMarks: Hashable, Sendable {
    /// Free bytes below which an operator should know.
    package var low: Int
    /// Free bytes below which no new call is taken.
    package var critical: Int

    /// Sets the marks, in bytes. Zero is never reached.
    package init(low: Int, critical: Int) {
        self.low = low
        self.critical = critical
    }

    /// What the configuration has by default: 1 GB and 100 MB.
    package static let standard = SpaceMarks(low: 1_000_000_000, critical: 100_000_000)
}
