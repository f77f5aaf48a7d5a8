import CallreelCore
import Foundation

/// An unrepaired file of a killed server.
struct UnfinishedFile: Sendable {
    /// Offset of the last four bytes of the total in a FLAC file's STREAMINFO (RFC 9639, section 8.2).
    static let totalOffset = 22

    let path: String
    /// The file's stated length in frames: a WAV's by its header, a raw file's by its size. Nil for a FLAC.
    let stated: Int?
    /// Frames in the file for certain, by its size: for WAV and raw. Nil for a FLAC, which must be decoded.
    let physical: Int?
    /// A problem with the file's header.
    var problem: String?

    /// Examines a file's bytes.
    init(_ path: String) throws {
        self.path = path
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        switch path.pathExtension {
        case "wav":
            // The header before the samples is short.
            guard let tag = bytes.prefix(4096).range(of: Data("data".utf8)), bytes.count >= tag.upperBound + 4 else {
                throw SelfTestError("\(path) has no data chunk")
            }
            let size = (0..<4).reduce(0) { $0 | Int(bytes[tag.upperBound + $1]) << (8 * $1) }
            stated = size / TestSignal.format.bytesPerFrame
            physical = (bytes.count - tag.upperBound - 4) / TestSignal.format.bytesPerFrame
        case "flac":
            stated = nil
            physical = nil
            // The total's first four bits are the last of the byte before.
            let total = bytes.dropFirst(Self.totalOffset - 1).prefix(5).reduce(0) { $0 << 8 | Int($1) } & (1 << 36 - 1)
            if total != 0 { problem = "states a total of \(total) frames, which decoders rely on" }
        default:
            stated = bytes.count / TestSignal.format.bytesPerFrame
            physical = stated
        }
    }
}

/// A call of a killed server.
struct KilledCall: Sendable {
    let number: Int
    /// Its files, by their extension.
    let files: [String: UnfinishedFile]
    /// Frames in each file, as Callreel's own reader counts them. The reader's caller sets them.
    var held: [String: Int] = [:]

    /// Returns the unfinished calls under a recordings directory, in the order of their numbers.
    static func all(in directory: String, fault: Fault?) throws -> [KilledCall] {
        var isSpoilt = false
        let ledgers = Dictionary(UnfinishedCall.all(in: directory).map { ($0.id, $0) }) { first, _ in first }
        return try ledgers.values.compactMap { ledger -> KilledCall? in
            guard let number = ledger.call.headers[TestCall.key]?.double.map({ Int($0) }) else { return nil }
            let place = RecordingLayout.partialDirectory(of: ledger.id, in: directory)
            let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
            var files: [String: UnfinishedFile] = [:]
            for name in names where !name.contains(".json") {
                let path = place + "/" + name, ending = name.pathExtension
                if ending == "flac", let fault, !isSpoilt {
                    isSpoilt = true
                    try fault.spoil(unfinishedFLAC: path, frames: try AudioContent.samples(path).count)
                }
                files[ending] = try UnfinishedFile(path)
            }
            return KilledCall(number: number, files: files)
        }.sorted { $0.number < $1.number }
    }
}
