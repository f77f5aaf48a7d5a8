import CoreMetrics
import Logging
import Synchronization

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

/// Watches the free space under every directory that calls are recorded to.
final class DiskWatch: Sendable {
    /// How full a disk is.
    enum Level: Int, Comparable, Sendable {
        case fine, low, critical

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    /// A directory that recordings go to.
    struct Place: Sendable {
        let directory: String
        /// Whether calls cannot be recorded as they must be without it.
        let isVital: Bool
    }

    /// What was seen of a place.
    struct Sight: Sendable {
        let place: Place
        let freeBytes: Int
        let level: Level

        /// In words, with the number and the directory.
        var description: String { "\(freeBytes / 1_000_000) MB are free under \(place.directory)" }
    }

    let marks: SpaceMarks
    private let places: [Place]
    private let meters: [Meter]
    private let sights = Mutex<[String: Sight]>([:])

    /// Prepares to watch.
    init(_ places: [Place], marks: SpaceMarks, metrics: RecorderMetrics) {
        self.places = places
        self.marks = marks
        meters = places.map { metrics.freeBytes($0.directory) }
    }

    /// What was seen the last time.
    var current: [Sight] { sights.withLock { sights in places.compactMap { sights[$0.directory] } } }

    /// Looks at every disk, and logs what has changed. Blocks.
    func look(_ logger: Logger) {
        for (place, meter) in zip(places, meters) {
            guard let free = FileSystem.freeBytes(standing(place.directory)) else { continue }
            meter.set(Int64(free))
            let level: Level = free < marks.critical ? .critical : free < marks.low ? .low : .fine
            let sight = Sight(place: place, freeBytes: free, level: level)
            let before = sights.withLock { $0.updateValue(sight, forKey: place.directory) }?.level ?? .fine
            guard level != before else { continue }
            let facts: Logger.Metadata = ["directory": "\(place.directory)", "free": "\(free)"]
            switch level {
            case .fine: logger.notice("a disk has room again", metadata: facts)
            case .low: logger.warning("a disk is getting full", metadata: facts)
            case .critical:
                logger.error(place.isVital ? "a disk is full: no new call is taken" : "a disk is full", metadata: facts)
            }
        }
    }

    /// The directory, or the one above it where it will be made.
    private func standing(_ directory: String) -> String {
        var path = directory
        while !FileSystem.exists(path), let slash = path.lastIndex(of: "/"), slash != path.startIndex { path = String(path[..<slash]) }
        return FileSystem.exists(path) ? path : directory.hasPrefix("/") ? "/" : "."
    }
}
