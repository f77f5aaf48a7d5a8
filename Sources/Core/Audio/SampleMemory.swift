import Synchronization

/// A chunk's hold on its memory: when the last who has the chunk lets go, the memory is for the next chunks.
///
/// For large chunks only, as calls bring them that come faster than life. malloc gives such blocks back to the system and gets
/// them again page by page, which is a tenth of such a call's cost; small ones it has at hand by itself.
final class SampleMemory: Sendable {
    /// Samples from which on memory is kept: 32 KiB.
    private static let least = 1 << 14
    /// Samples of the largest that is kept: 256 KiB.
    private static let most = 1 << 17
    /// How many are kept at once: what a few calls have on its way to their sinks, and 32 MiB at most.
    private static let limit = 128

    private static let free = Mutex<[[Int16]]>([])

    private let samples: [Int16]

    /// Holds the memory of some samples, where it is worth it.
    init?(of samples: [Int16]) {
        guard Self.least...Self.most ~= samples.capacity else { return nil }
        self.samples = samples
    }

    // Whoever kept the array goes on having it: it is copied where it is not ours alone.
    deinit { Self.free.withLock { if $0.count < Self.limit { $0.append(samples) } } }

    /// An empty array with room for so many samples at least.
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
