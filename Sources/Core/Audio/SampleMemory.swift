import Synchronization

/// Returns a chunk's sample buffer to a pool when the chunk is released.
///
/// Used only for buffers of 32 KiB or more, which occur when a call arrives faster than real time. malloc returns such
/// blocks to the system and gets them again page by page, at a tenth of such a call's cost. It keeps small blocks
/// at hand by itself.
final class SampleMemory: Sendable {
    /// Samples of the smallest pooled buffer: 32 KiB.
    private static let least = 1 << 14
    /// Samples of the largest pooled buffer: 256 KiB.
    private static let most = 1 << 17
    /// The most buffers in the pool: as many as a few calls have on the way to their sinks, and 32 MiB at most.
    private static let limit = 128

    private static let free = Mutex<[[Int16]]>([])

    private let samples: [Int16]

    /// Keeps the buffer of some samples for the pool; nil if it is too small or too large.
    init?(of samples: [Int16]) {
        guard Self.least...Self.most ~= samples.capacity else { return nil }
        self.samples = samples
    }

    // Other code may have kept the array. It stays unchanged: Swift copies a shared array before a change.
    deinit { Self.free.withLock { if $0.count < Self.limit { $0.append(samples) } } }

    /// Returns an empty array with room for at least so many samples.
    static func room(for count: Int) -> [Int16] {
        if least...most ~= count, var kept = free.withLock({ $0.popLast() }), kept.capacity >= count {
            kept.removeAll(keepingCapacity: true)
            return kept
        }
        var fresh: [Int16] = []
        fresh.reserveCapacity(count)
        return fresh
    }
}
