import CallreelCore

/// Free-space limits for the disks of recordings.
package struct SpaceMarks: Hashable, Sendable {
    /// Free bytes below which Callreel warns the operator.
    package var low: Int
    /// Free bytes below which Callreel refuses new calls, if every call needs the disk.
    package var critical: Int

    /// Creates limits in bytes. Free space is never below zero, so zero turns a limit off.
    package init(low: Int, critical: Int) {
        self.low = low
        self.critical = critical
    }

    /// The configuration's default: 1 GB and 100 MB.
    package static let standard = SpaceMarks(low: 1_000_000_000, critical: 100_000_000)
}
