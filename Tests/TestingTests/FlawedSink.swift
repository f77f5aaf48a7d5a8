import CallreelCore
import Foundation
import Synchronization

/// A sink's possible flaws. Each breaks one rule of the contract and no other.
enum Flaw: String, CaseIterable, Sendable {
    case none, changesItsMind, takesNoFrame, refusesEverything, swallowsOpening, writesBeside, writesAbove,
        movesItsFile, replacesFiles
    case failsWithoutFrames, countsOneMore, filesOneLess, filesAStranger, losesOddFrames, countsInCommon,
        repeatsAtCheckpoints, keepsForTheEnd
    case removesWhenLetGo, doesNotSync, leaksFile, leaksPipe, swallowsWrites, blamesItself, givesNoReason,
        emptiesOnFailure, doesNotWait
    case repairsWholeFiles, repairsToOneMore, repairsInDryRuns, repairsInSteps, repairsByGuessing, repairsWhatIsMissing
    case decodesOneLess, decodesOtherwise, failsInStereo, namesAnotherFile
    case failsAtEvents, writesAtEvents, skipsSilence, skipsMasked, failsAtParts, needsItsState, spoilsItsState
    case probesWithAFile, probesNothing
    case losesTheBeginningOfParts, swapsChannels, dropsAChannel
}

struct FlawOptions: Configurable {
    var flaw = Flaw.none

    init() {}
    init(_ flaw: Flaw) { self.flaw = flaw }

    static let fields: [Field<Self>] = [.choice("flaw", \.flaw, "What is wrong.")]
}

/// A sink for bare samples with one flaw. Its files' names contain the flaw, for the operations on a file alone.
struct FlawedSink: ~Copyable, AudioSink {
    static let type = "flawed"
    static let summary = "bare samples, with a flaw"

    private static let asked = Mutex(0)
    private static let common = Mutex(0)

    private let flaw: Flaw
    private let context: SinkContext
    private let path: String
    private var file: OutputFile?
    private var isOpen = false
    private var frames = 0
    private var last: [Int16] = []
    private var held: [Int16] = []

    static func refusal(of format: AudioFormat, options: FlawOptions) -> String? {
        switch options.flaw {
        case .refusesEverything: "is not meant for \(format)"
        case .changesItsMind:
            asked.withLock { count in
                count += 1
                return count.isMultiple(of: 2) ? "not now" : nil
            }
        default: nil
        }
    }

    static func frameLimit(options: FlawOptions, format: AudioFormat) -> Int? {
        options.flaw == .takesNoFrame ? 0 : nil
    }

    static func files(options: FlawOptions) -> SinkFiles {
        .suffixes(["\(options.flaw.rawValue).\(options.flaw == .namesAnotherFile ? "raw" : "pcm")"])
    }

    static func probe(options: FlawOptions, context: SinkContext) throws(SinkError) -> ProbeAnswer {
        switch options.flaw {
        case .probesWithAFile:
            _ = FileManager.default.createFile(atPath: context.directory + "/probe", contents: nil)
            return .unknown
        case .probesNothing: return .works
        default: return .unknown
        }
    }

    init(options: FlawOptions, context: SinkContext) throws(SinkError) {
        flaw = options.flaw
        self.context = context
        if flaw == .countsInCommon { Self.common.withLock { $0 = 0 } }
        let suffix = "\(flaw.rawValue).pcm"
        path = "\(context.directory)/\(context.fileStem).\(suffix)"
        let state = context.carried as? Int
        if flaw == .needsItsState, context.part > 0, state == nil {
            throw SinkError(.open, "there is no state", blame: .bug)
        }
        if flaw == .spoilsItsState, let state { frames = state }
        switch flaw {
        case .swallowsOpening: file = try? context.createFile(suffix)
        case .replacesFiles:
            unsafe unlink(path)
            file = try context.createFile(suffix)
        case .failsInStereo where context.format.channels == 2: throw SinkError(.open, "two channels are too many")
        default: file = try context.createFile(suffix)
        }
        isOpen = true
        switch flaw {
        case .writesBeside: _ = FileManager.default.createFile(atPath: path + ".notes", contents: Data([1]))
        case .writesAbove:
            _ = FileManager.default.createFile(atPath: context.directory + "/../../notes", contents: Data([1]))
        case .leaksPipe:
            var ends: [Int32] = [0, 0]
            _ = unsafe pipe(&ends)
        case .leaksFile: _ = dup(file?.descriptor ?? -1)
        case .doesNotWait: _ = fcntl(file?.descriptor ?? -1, F_SETFL, O_NONBLOCK)
        default: break
        }
    }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        if flaw == .skipsSilence, chunk.origin == .silence { return }
        if flaw == .skipsMasked, chunk.origin == .masked { return }
        var samples = chunk.withSamples { span in span.indices.map { span[$0] } }
        let isFirst = frames == 0
        frames += chunk.frameCount
        let count = chunk.frameCount
        if context.format.channels == 2, [.swapsChannels, .dropsAChannel].contains(flaw) {
            for index in stride(from: 0, to: samples.count, by: 2) {
                if flaw == .swapsChannels { samples.swapAt(index, index + 1) } else { samples[index + 1] = 0 }
            }
        }
        if flaw == .losesTheBeginningOfParts, context.part > 0, isFirst { return }
        if flaw == .countsInCommon { Self.common.withLock { $0 += count } }
        if flaw == .losesOddFrames, !count.isMultiple(of: 2) { samples.removeLast(context.format.channels) }
        if flaw == .keepsForTheEnd { return held += samples }
        last = samples
        do {
            try unsafe file?.write(samples.span.bytes)
        } catch {
            switch flaw {
            case .doesNotWait where error.underlying == EAGAIN: return
            case .swallowsWrites: return
            case .blamesItself: throw SinkError(.write, error.reason, underlying: error.underlying, blame: .bug)
            case .givesNoReason: throw SinkError(.write, " ", underlying: error.underlying)
            case .emptiesOnFailure: unsafe truncate(path, 0)
            default: break
            }
            throw error
        }
    }

    mutating func event(_ event: CallEvent) throws(SinkError) {
        if flaw == .failsAtEvents, event.type.isEmpty { throw SinkError(.write, "an event without a type") }
        if flaw == .writesAtEvents { try unsafe file?.write(last.span.bytes) }
    }

    mutating func checkpoint() async throws(SinkError) {
        if flaw == .repeatsAtCheckpoints { try unsafe file?.write(last.span.bytes) }
    }

    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        if flaw == .failsAtParts, !end.isCallOver { throw SinkError(.finish, "the call is not over") }
        if flaw == .failsWithoutFrames, frames == 0 { throw SinkError(.finish, "there is nothing to finish") }
        try unsafe file?.write(held.span.bytes)
        let name = file?.name ?? ""
        var receipt = SinkReceipt(frames: frames, framesByFile: [name: frames], carried: frames)
        switch flaw {
        case .swallowsOpening: receipt.framesByFile = [:]
        case .countsOneMore: receipt.frames += 1
        case .countsInCommon: receipt.frames = Self.common.withLock { $0 }
        case .filesOneLess: receipt.framesByFile[name] = frames - 1
        case .filesAStranger: receipt.framesByFile["stranger.pcm"] = 0
        case .movesItsFile: unsafe rename(path, context.directory + "/moved.pcm")
        default: break
        }
        isOpen = false
        if flaw == .doesNotSync { return receipt }
        try file.take()?.close()
        return receipt
    }

    deinit { if flaw == .removesWhenLetGo, isOpen { unsafe unlink(path) } }
}
