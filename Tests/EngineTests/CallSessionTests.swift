import Foundation
import Logging
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct CallSessionTests {
    @Test(arguments: [1, 2])
    func `all sinks agree to the last sample`(channels: Int) async throws {
        let probes = (0..<4).map { _ in Probe() }
        let bench = try CallBench(
            [
                (probes[0], "{}"), (probes[1], #"{"checkpoint": 0.1}"#),
                (probes[2], #"{"name": "slow", "blocks": "thirdWrite"}"#),
                (probes[3], #"{"type": "meter"}"#),
            ], format: AudioFormat(sampleRate: 16000, channels: channels))
        for frames in [320, 1, 319, 640, 320, 16000] { #expect(bench.receive(frames)) }
        try await until("the slow one is held") { probes[2].isBlocked }
        probes[2].gate.open()
        let recording = try await bench.end()
        #expect(recording.framesReceived == 17600)
        expectClosedAccounts(recording)
        for sink in recording.sinks {
            #expect(sink.state == .complete)
            #expect(sink.written == 17600)
        }
        #expect(recording.sinks.map(\.name) == ["probe", "probe-2", "slow", "meter"])
        #expect(
            recording.sinks.map { $0.files.map(\.name) } == [["call.pcm"], ["call.probe-2.pcm"], ["call.slow.pcm"], []])
        for probe in probes[..<3] { #expect(probe.samples == ramp(0..<17600 * channels)) }
        for file in recording.sinks.flatMap(\.files) {
            #expect(try bench.samples(file) == ramp(0..<17600 * channels))
            #expect(file.frames == 17600)
            #expect(file.bytes == 17600 * channels * 2)
        }
        #expect(Set(recording.sinks.flatMap(\.files).map(\.sha256)).count == 1)
    }

    @Test func `what a sink says at its end is in the manifest, even what JSON has no word for`() async throws {
        let bench = try CallBench([(Probe(), "{}"), (Probe(), #"{"type": "meter", "level": 7}"#)])
        bench.receive(160)
        let recording = try await bench.end()
        let saved = try bench.recorder.store.manifest(named: recording.name)
        #expect(saved.sinks[0].details == ["writes": 1])
        #expect(saved.sinks[1].details == ["level": 7, "peak": .null])
    }

    @Test func `a sink is told of its call, and where it may write`() async throws {
        let probe = Probe()
        let bench = try CallBench([(probe, "{}")])
        let recording = try await bench.end()
        let context = try #require(probe.contexts.first)
        #expect(context.recordingID == recording.id)
        #expect(context.call.from == "1")
        #expect(context.format == .telephone)
        #expect(context.sinkName == "probe")
        #expect(context.fileStem == "call")
        #expect(context.directory == bench.workspace.file(".partial/\(recording.id)"))
        #expect(context.logger[metadataKey: "call.id"] == "\(recording.id)")
    }

    @Test func `a manifest stands in the partial directory while the call runs, and goes with it`() async throws {
        let bench = try CallBench([(Probe(), "{}")])
        try await until("the first manifest is there") { (try? bench.partialLedger()) != nil }
        #expect(try bench.partialLedger().sinks.map(\.state) == [.recording])
        #expect(try bench.partialLedger().endedAt == nil)
        bench.receive(800)
        bench.session.note("dtmf", data: ["digit": "5"])
        #expect(bench.session.take(event("answered"), facts: CallFacts(carrier: "test", to: "2")) == nil)
        // The session does not save after each event, because events come in floods.
        try await until("all of it is on disk") {
            bench.session.tick(now: farFuture)
            let manifest = try bench.partialLedger()
            return manifest.events.count == 2 && manifest.call.to == "2"
        }
        _ = try await bench.end()
        #expect(try bench.workspace.files() == [".partial", "call.json", "call.pcm"])
    }

    @Test func `events carry the frame that the audio has reached`() async throws {
        let bench = try CallBench([(Probe(), "{}")])
        bench.session.note("first", data: [:])
        bench.receive(800)
        bench.session.note("dtmf", data: ["digit": "5"])
        bench.session.note("dtmf", data: ["digit": "5"])
        bench.receive(80)
        // The sender repeats events that come beside the audio. The session keeps each once.
        for _ in 0..<2 { #expect(bench.session.take(event("answered"), facts: CallFacts(carrier: "test")) == nil) }
        let recording = try await bench.end()
        #expect(recording.events.map(\.frame.frames) == [0, 800, 800, 880])
        #expect(recording.events.map(\.type) == ["first", "dtmf", "dtmf", "answered"])
        #expect(try bench.recorder.store.manifest(named: "call").events.map(\.frame.frames) == [0, 800, 800, 880])
        // The recording is published, so the session names its manifest for a late event.
        #expect(bench.session.take(event("late"), facts: nil)?.name == "call")
    }

    private func event(_ type: String) -> CallEvent {
        CallEvent(frame: .start, at: Date(), type: type, data: ["a": 1])
    }

    @Test func `events that are too large, alone or together, are counted`() async throws {
        let bench = try CallBench([])
        bench.session.note("large", data: ["text": .string(String(repeating: "x", count: CallEvent.byteLimit))])
        let text = String(repeating: "y", count: CallEvent.byteLimit / 2)
        for _ in 0..<600 { bench.session.note("half", data: ["text": .string(text)]) }
        let recording = try await bench.end()
        let kept = CallSession.eventsByteLimit / (text.utf8.count + 11)
        #expect(recording.events.count == kept)
        #expect(recording.droppedEvents == 601 - kept)
    }

    @Test func `events above the limit are counted`() async throws {
        let bench = try CallBench([])
        for number in 0..<CallSession.eventLimit + 5 { bench.session.note("n", data: ["n": .integer(number)]) }
        let recording = try await bench.end()
        #expect(recording.events.count == CallSession.eventLimit)
        #expect(recording.events.last?.data == ["n": .integer(CallSession.eventLimit - 1)])
        #expect(recording.droppedEvents == 5)
    }

    @Test func `the first end stands, and audio after it is refused`() async throws {
        let probe = Probe()
        let bench = try CallBench([(probe, "{}")])
        bench.receive(160)
        bench.session.end("the caller hung up", leftoverBytes: 1)
        bench.session.end("the connection was lost", leftoverBytes: 0)
        #expect(bench.receive(160))
        let recording = try await bench.published()
        #expect(recording.endReason == "the caller hung up")
        #expect(recording.leftoverBytes == 1)
        #expect(recording.framesReceived == 160)
        #expect(probe.samples == ramp(0..<160))
        #expect(bench.log.values.contains("audio refused: the call has ended"))
        expectClosedAccounts(recording)
    }

    @Test func `a call without a frame is a recording without a file`() async throws {
        let bench = try CallBench([(Probe(), "{}")])
        let recording = try await bench.end("nothing came")
        #expect(recording.framesReceived == 0)
        #expect(recording.sinks[0].state == .empty)
        #expect(recording.sinks[0].files.isEmpty)
    }

    @Test func `messages that were not understood are counted, and the first is logged`() async throws {
        let bench = try CallBench([])
        for _ in 0..<3 { bench.session.noteMalformed("nonsense") }
        #expect(try await bench.end().malformedMessages == 3)
        #expect(bench.log.values.filter { $0.contains("not understood") }.count == 1)
    }

    @Test func `a call that ends while audio comes in from another thread counts every frame right`() async throws {
        for _ in 0..<40 {
            let bench = try CallBench((0..<12).map { _ in (Probe(), #"{"type": "meter"}"#) })
            async let pushing: Void = { for _ in 0..<2000 { bench.receive(1) } }()
            try await until("some audio came") { bench.session.snapshot.framesReceived > 20 }
            let recording = try await bench.end()
            await pushing
            expectClosedAccounts(recording)
        }
    }

    @Test func `a server that is told to stop at once does not tear its recordings`() async throws {
        let probe = Probe()
        let bench = try CallBench([(probe, #"{"blocks": "thirdWrite"}"#)])
        for _ in 0..<10 { bench.receive(160) }
        try await until("the sink is in the middle") { probe.isBlocked }
        bench.session.end("the recorder was stopped")
        try await until("no more audio is taken") {
            let before = bench.session.snapshot.framesReceived
            bench.receive(160)
            return bench.session.snapshot.framesReceived == before
        }
        probe.gate.open()
        let recording = try await bench.published()
        #expect(recording.sinks[0].state == .complete)
        #expect(recording.endedAt >= recording.startedAt)
        #expect(try bench.samples(recording.sinks[0].files[0]) == ramp(0..<recording.framesReceived))
        expectClosedAccounts(recording)
    }
}
