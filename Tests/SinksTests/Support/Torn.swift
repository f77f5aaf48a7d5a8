import CallreelCore
import Foundation
import Testing

/// A sink whose type is erased, and whose files can be repaired and decoded.
struct RepairableSink: Sendable, CustomTestStringConvertible {
    let name: String
    let testDescription: String
    let repair: @Sendable (_ path: String, _ format: AudioFormat, _ dryRun: Bool) throws(SinkError) -> FileRepair?
    let decode:
        @Sendable (_ path: String, _ format: AudioFormat) throws(SinkError) -> (samples: [Int16], file: DecodedFile?)
    let finished: @Sendable (_ samples: [Int16], _ format: AudioFormat) async throws -> Data
    let killed: @Sendable (_ samples: [Int16], _ format: AudioFormat, _ checkpointed: Double) async throws -> Data

    /// - Parameter ending: the extension of the sink's files, if it is not the sink's type.
    init<Sink: AudioSink & ~Copyable>(
        _: Sink.Type, _ options: Sink.Options = .init(), _ description: String? = nil, ending: String = Sink.type
    ) {
        name = "call.\(ending)"
        testDescription = description ?? Sink.type
        repair = { path, format, dryRun throws(SinkError) in try Sink.repair(path, format: format, dryRun: dryRun) }
        decode = { path, format throws(SinkError) in
            var samples: [Int16] = []
            let file = try Sink.decode(path, format: format) { piece in
                #expect(piece.count.isMultiple(of: format.channels))
                for index in piece.indices { samples.append(piece[index]) }
            }
            return (samples, file)
        }
        finished = { samples, format in
            let workspace = try Workspace()
            _ = try await record(Sink.self, samples, workspace.context(format), options: options)
            return try Data(contentsOf: URL(fileURLWithPath: workspace.file("call.\(ending)")))
        }
        killed = { samples, format, checkpointed in
            let workspace = try Workspace()
            var sink = try await Sink(options: options, context: workspace.context(format))
            let frames = samples.count / format.channels, limit = Int(Double(frames) * checkpointed)
            var done = 0, number = 0
            while done < frames {
                let chunk = [1, 319, 160, 2, 777, 320, 3, 41][number % 8]
                let end = min(done + chunk, done < limit ? limit : frames)
                try await sink.write(
                    PCMChunk(
                        samples: Array(samples[done * format.channels..<end * format.channels]), format: format,
                        start: FramePosition(done)))
                if end == limit { try await sink.checkpoint() }
                (done, number) = (end, number + 1)
            }
            return try Data(contentsOf: URL(fileURLWithPath: workspace.file("call.\(ending)")))
        }
    }
}

/// Repeatable numbers that look random.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

extension Workspace {
    /// Writes a file and returns its path.
    func write(_ data: Data, _ name: String) throws -> String {
        try data.write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}

/// Returns the bytes of a file.
func contents(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

/// Repairs a file and checks the rules of every repair: a dry run changes nothing and reports the same, and a second
/// repair has nothing to do. If the repair was refused, checks that the file is untouched and returns nil.
@discardableResult
func repaired(
    _ sink: RepairableSink, _ path: String, _ format: AudioFormat, refusal: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) throws -> FileRepair? {
    let before = try contents(path)
    func attempt(dryRun: Bool) throws -> Result<FileRepair?, SinkError> {
        do throws(SinkError) { return .success(try sink.repair(path, format, dryRun)) } catch { return .failure(error) }
    }
    let dry = try attempt(dryRun: true)
    #expect(try contents(path) == before, "a dry run changed the file", sourceLocation: sourceLocation)
    let real = try attempt(dryRun: false)
    let after = try contents(path)
    switch (dry, real) {
    case (.failure(let dry), .failure(let real)):
        #expect(dry.description == real.description, sourceLocation: sourceLocation)
        #expect(real.description.contains(path), "\(real)", sourceLocation: sourceLocation)
        #expect(after == before, "refused, but changed: \(real)", sourceLocation: sourceLocation)
        if let refusal { #expect(real.description.contains(refusal), "\(real)", sourceLocation: sourceLocation) }
        return nil
    case (.success(let dry), .success(let real)):
        let result = try #require(real, sourceLocation: sourceLocation)
        #expect(refusal == nil, "\(result)", sourceLocation: sourceLocation)
        #expect(dry == result, sourceLocation: sourceLocation)
        #expect((result.change == nil) == (after == before), "\(result)", sourceLocation: sourceLocation)
        #expect(result.bytesCut == 0 || result.change != nil, sourceLocation: sourceLocation)
        let again = try sink.repair(path, format, false)
        #expect(again?.isWhole(result.frames) == true, "\(result)", sourceLocation: sourceLocation)
        #expect(try contents(path) == after, "the second run changed the file", sourceLocation: sourceLocation)
        return result
    default:
        Issue.record("the dry run said \(dry), the real one \(real)", sourceLocation: sourceLocation)
        return nil
    }
}

/// Returns the lengths at which to cut a file: every byte of the end, and some places before it.
func cuts(_ count: Int, from start: Int, lastBytes: Int, others: Int) -> [Int] {
    var dice = Dice(7)
    let border = max(start, count - lastBytes)
    return Array(border...count) + (0..<others).map { _ in Int.random(in: start...border, using: &dice) }
}

extension FileRepair {
    /// True for an intact file of so many frames.
    func isWhole(_ frames: Int) -> Bool { self.frames == frames && bytesCut == 0 && change == nil }
}
