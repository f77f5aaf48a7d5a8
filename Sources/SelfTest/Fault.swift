import CallreelCore
import Foundation

/// A defect that the self-test plants on request, and must then find.
package enum Fault: String, CaseIterable, Sendable {
    /// The raw sink of every server drops a chunk now and then.
    case drop
    /// One FLAC file of a killed server states a wrong length.
    case staleTotal = "stale-total"
    /// One published file is cut before it is checked.
    case cut
    /// One published manifest counts one frame less as written by its first sink, and one more as lost.
    case lie
}

extension Fault {
    /// Applies the fault to a published archive.
    func spoil(_ published: [PublishedCall]) throws {
        guard let victim = published.first, let sink = victim.recording.sinks.first(where: { !$0.files.isEmpty }) else {
            return
        }
        switch self {
        case .drop, .staleTotal: return
        case .cut:
            let file = victim.path(of: sink.files[0])
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
            try handle.truncate(atOffset: handle.seekToEnd() - 1000)
            try handle.close()
        case .lie:
            var recording = victim.recording
            guard let index = recording.sinks.firstIndex(where: { $0.name == sink.name }) else { return }
            recording.sinks[index].written -= 1
            recording.sinks[index].lost += 1
            try recording.encoded().write(to: URL(fileURLWithPath: victim.manifestPath))
        }
    }

    /// Applies the fault to a FLAC file of a killed server: sets an outdated total, half of the true length.
    func spoil(unfinishedFLAC path: String, frames: Int) throws {
        guard self == .staleTotal else { return }
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try handle.seek(toOffset: UInt64(UnfinishedFile.totalOffset))
        let total = UInt32(frames / 2)
        try handle.write(contentsOf: Data([24, 16, 8, 0].map { UInt8(truncatingIfNeeded: total >> $0) }))
        try handle.close()
    }
}
