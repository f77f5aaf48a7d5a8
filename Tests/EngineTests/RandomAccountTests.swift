import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// Stalls, parts, conversion, pauses and failures in any order.
///
/// The manifest's sums are right, and its ranges match the files.
@Suite struct RandomAccountTests {
    private static let shapes = [#""channels": null"#, #""channels": 2"#, #""sampleRate": 16000"#]
    private static let policies = ["silence", "skip", "record"]

    @Test(arguments: 0..<36 as Range<UInt64>)
    func `what is said of each frame is so`(seed: UInt64) async throws {
        var random = Generator(state: seed &* 7919)
        let failures = seed.isMultiple(of: 4) ? 0 : Int.random(in: 2...25, using: &random)
        let policy = Self.policies[Int(seed % 3)], shape = Self.shapes[Int(seed / 3 % 3)]
        let holds = Bool.random(using: &random) ? 0 : Int.random(in: 1...500, using: &random)
        let entry = #"""
            {\#(shape), "onPause": "\#(policy)", "partLength": 1, "buffer": 0.5, "failures": \#(failures), "holds": \#(holds * 2),
             "retry": \#(failures == 0 ? 0 : 0.01)}
            """#
        let probe = Probe()
        let bench = try CallBench(
            [(probe, entry), (Probe(), #"{"onPause": "record", "buffer": 600}"#)], registry: .doubling)
        var pauses = FrameRanges(), position = 0, isPaused = false, stalls = 0
        func receive() {
            let frames = Int.random(in: 1...900, using: &random)
            bench.receive(frames)
            if isPaused { pauses.insert(position..<position + frames) }
            position += frames
        }
        for _ in 0..<60 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0, 1:
                isPaused.toggle()
                bench.session.pause(isPaused)
            case 2:
                // The sink takes nothing until it stalls, and misses some audio.
                probe.isHeld.store(true, ordering: .relaxed)
                for _ in 0..<12 { receive() }
                bench.session.tick(now: farFuture)
                if bench.state(0) == .stalled { stalls += 1 }
                for _ in 0..<Int.random(in: 1...20, using: &random) {
                    receive()
                    if Int.random(in: 0..<6, using: &random) == 0 {
                        isPaused.toggle()
                        bench.session.pause(isPaused)
                    }
                }
                probe.isHeld.store(false, ordering: .relaxed)
                try await until("the sink is back") {
                    bench.session.sinks[0].queue.queuedFrames == 0 || bench.state(0) == .failed
                }
            default: receive()
            }
        }
        let recording = try await bench.end()
        #expect(recording.framesReceived == position)
        expectClosedAccounts(recording)
        let sink = recording.sinks[0], ranges = try #require(sink.ranges)
        let silence = ranges.silence ?? FrameRanges(), masked = ranges.masked ?? FrameRanges()
        let skipped = ranges.skipped ?? FrameRanges(), lost = ranges.lost ?? FrameRanges()
        let lengths: [Int] = [silence.frames, masked.frames, skipped.frames, lost.frames]
        let totals: [Int] = [sink.silence, sink.masked ?? 0, sink.skipped ?? 0, sink.lost]
        #expect(lengths == totals)
        let all = [silence, masked, skipped, lost].reduce(FrameRanges()) { $0.union($1) }
        #expect(
            all.frames == sink.silence + (sink.masked ?? 0) + (sink.skipped ?? 0) + sink.lost,
            "no frame is in two lists")
        #expect(failures > 0 || sink.lost == 0 && sink.state == .complete && sink.error == nil, "\(sink.error ?? "")")
        #expect(stalls == 0 || failures > 0 || sink.stalls ?? 0 >= 1)
        // Exactly the paused audio is masked or skipped, except for frames in no file.
        switch policy {
        case "silence": #expect(masked == pauses.subtracting(lost) && skipped.isEmpty)
        case "skip": #expect(skipped == pauses.subtracting(lost) && masked.isEmpty)
        default: #expect(masked.isEmpty && skipped.isEmpty)
        }
        try expect(
            sink, of: recording, silent: silence.union(masked), absent: skipped.union(lost), samples: bench.samples)
        #expect(recording.sinks[1].state == .complete && recording.sinks[1].written == position)
    }

    /// Expects the ramp or silence in each file, frame for frame from its start. Together they hold all but `absent`.
    private func expect(
        _ sink: Recording.Sink, of recording: Recording, silent: FrameRanges, absent: FrameRanges,
        samples: (Recording.File) throws -> [Int16]
    ) throws {
        var call = ramp(0..<recording.framesReceived)
        for range in silent.ranges { call.replaceSubrange(range, with: repeatElement(0, count: range.count)) }
        // Both converted formats have each sample twice.
        let factor = sink.format == nil ? 1 : 2
        var held = FrameRanges(), wrong: [String] = []
        for file in sink.files {
            let start = try #require(file.start?.frames), found = try samples(file), length = found.count / factor
            let expected = call[min(start, call.count)..<min(start + length, call.count)].flatMap {
                repeatElement($0, count: factor)
            }
            if found != expected { wrong.append("\(file.name) from \(start), \(length) frames") }
            held.insert(start..<start + length)
        }
        #expect(wrong.isEmpty, "\(wrong)")
        let whole = FrameRanges([0..<recording.framesReceived])
        let isHeld = held == whole.subtracting(absent)
        #expect(isHeld, "\(held.ranges) of \(recording.framesReceived), without \(absent.ranges)")
    }
}
