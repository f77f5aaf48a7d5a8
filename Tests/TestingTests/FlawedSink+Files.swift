import CallreelCore
import Foundation

extension FlawedSink {
    /// Returns the flaw in a file's name.
    private static func flaw(of path: String) -> Flaw {
        let words = path.split(separator: ".")
        return words.count > 2 ? Flaw(rawValue: String(words[words.count - 2])) ?? .none : .none
    }

    static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        let flaw = flaw(of: path), unit = format.bytesPerFrame
        guard let data = FileManager.default.contents(atPath: path) else {
            guard flaw == .repairsWhatIsMissing else { throw SinkError(.open, "\(path) is not there") }
            if !dryRun { _ = FileManager.default.createFile(atPath: path, contents: Data()) }
            return FileRepair(frames: 0)
        }
        let frames = data.count / unit, rest = data.count % unit
        func cut(to length: Int) { unsafe truncate(path, off_t(length)) }
        if rest == 0 {
            if flaw == .repairsWholeFiles {
                if !dryRun { cut(to: max(0, frames - 1) * unit) }
                return FileRepair(frames: max(0, frames - 1), change: "the last frame looked odd")
            }
            return FileRepair(frames: flaw == .repairsToOneMore ? frames + 1 : frames)
        }
        switch flaw {
        case .repairsInSteps:
            if !dryRun { cut(to: data.count - 1) }
            return FileRepair(frames: frames, bytesCut: 1, change: "cut by a byte")
        case .repairsByGuessing:
            if !dryRun { _ = FileManager.default.createFile(atPath: path, contents: data + Data(count: unit - rest)) }
            return FileRepair(frames: frames + 1, change: "the rest of a frame made up")
        default:
            if !dryRun || flaw == .repairsInDryRuns { cut(to: frames * unit) }
            return FileRepair(frames: frames, bytesCut: rest, change: "cut")
        }
    }

    static func decode(_ path: String, format: AudioFormat, into body: (Span<Int16>) -> Void) throws(SinkError)
        -> DecodedFile?
    {
        guard let data = FileManager.default.contents(atPath: path), data.count.isMultiple(of: format.bytesPerFrame)
        else {
            throw SinkError(.open, "\(path) is not whole frames")
        }
        var samples = unsafe data.withUnsafeBytes { buffer in
            (0..<data.count / 2).map { unsafe buffer.loadUnaligned(fromByteOffset: 2 * $0, as: Int16.self) }
        }
        switch flaw(of: path) {
        case .decodesOneLess: samples = samples.dropLast(format.channels)
        case .decodesOtherwise: samples.reverse()
        default: break
        }
        body(samples.span)
        return DecodedFile(frames: samples.count / format.channels, isLossless: true)
    }
}
