import Foundation
import TestSupport
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// A pause excludes all audio spoken in it, however late the audio is received.
@Suite struct PauseTests {
    private let start = ContinuousClock.now

    private func cut(_ pause: inout RecordingPause, _ start: Int, _ count: Int, after seconds: Double) -> [Int?] {
        let cut = pause.cut(start: start, count: count, now: self.start + .seconds(seconds))
        return [cut.masked, cut.clearFrom]
    }

    @Test func `the mask stays until everything was read, and the guard has passed by the clock and in frames`() {
        var pause = RecordingPause(guard: 0.5, format: .telephone)
        #expect(cut(&pause, 0, 100, after: 0) == [0, nil])
        let isNew = [pause.pause(at: 100), pause.pause(at: 200)]
        #expect(isNew == [true, false])
        #expect(cut(&pause, 100, 100, after: 0) == [100, nil])
        pause.resume(now: start)
        #expect(pause.isMasking && pause.isResuming && pause.earliestClear(received: 200) == 4200)
        // The pause lasts while audio from it is unread, for any length of time.
        #expect(cut(&pause, 200, 100_000, after: 60) == [100_000, nil])
        pause.drained(received: 100_200)
        pause.drained(received: 200_000)
        #expect(pause.earliestClear(received: 100_200) == 104_200)
        #expect(cut(&pause, 100_200, 4000, after: 60) == [4000, nil])
        #expect(cut(&pause, 104_200, 10, after: 60) == [0, 104_200])
        #expect(!pause.isMasking && pause.clearFrom == 104_200)
        #expect(cut(&pause, 104_210, 10, after: 60) == [0, nil])
    }

    @Test func `a call that brings the frames of the guard at once is masked until its time has passed too`() {
        var pause = RecordingPause(guard: 0.5, format: .telephone)
        _ = pause.pause(at: 0)
        pause.resume(now: start)
        pause.drained(received: 1000)
        #expect(cut(&pause, 1000, 8000, after: 0.4) == [8000, nil])
        #expect(cut(&pause, 9000, 800, after: 0.5) == [0, 9000])
    }

    @Test func `the chunk in which the guard ends is cut there`() {
        var pause = RecordingPause(guard: 0.5, format: .telephone)
        _ = pause.pause(at: 0)
        pause.resume(now: start)
        pause.drained(received: 1000)
        #expect(cut(&pause, 1000, 3000, after: 1) == [3000, nil])
        #expect(cut(&pause, 4000, 3000, after: 1) == [1000, 5000])
    }

    @Test func `a pause before the guard has passed goes on with the one before`() {
        var pause = RecordingPause(guard: 0.5, format: .telephone)
        _ = pause.pause(at: 10)
        pause.resume(now: start)
        pause.drained(received: 1000)
        let isNew = pause.pause(at: 2000)
        #expect(!isNew && pause.maskedFrom == 10 && !pause.isResuming)
        #expect(cut(&pause, 2000, 100_000, after: 60) == [100_000, nil])
    }

    @Test func `the files, the ranges and the events agree on the frame at which the recording goes on`() async throws {
        let asked = Collected<Void>()
        let bench = try CallBench(
            [(Probe(), "{}"), (Probe(), #"{"onPause": "skip"}"#), (Probe(), #"{"onPause": "record"}"#)],
            pauseGuard: 0.05,
            onDrain: { asked.append(()) })
        bench.receive(1000)
        bench.session.pause(true)
        #expect(bench.session.snapshot.maskedFrom == 1000)
        bench.receive(500)
        #expect(bench.session.pause(false) && !bench.session.pause(false))
        #expect(asked.count == 1)
        // The audio in the socket belongs to the pause.
        bench.receive(700)
        #expect(bench.session.snapshot.isPaused && bench.session.snapshot.isResuming)
        bench.session.noteDrained()
        #expect(bench.session.snapshot.clearFrom == 2600)
        bench.receive(300)
        #expect(bench.session.snapshot.isPaused)
        // When the guard time has passed, the pause ends within the next chunk.
        try await Task.sleep(for: .milliseconds(60))
        bench.receive(1000)
        let clear = try #require(bench.session.snapshot.clearFrom)
        let recording = try await bench.end()
        expectClosedAccounts(recording)
        #expect(clear == 2600)
        #expect(recording.events.map(\.type) == ["paused", "resumed"])
        #expect(recording.events.map(\.frame.frames) == [1000, clear])
        #expect(recording.pauses == [1000..<clear])
        #expect(recording.sinks[0].ranges?.masked?.ranges == [1000..<clear])
        #expect(recording.sinks[1].ranges?.skipped?.ranges == [1000..<clear])
        #expect(recording.sinks[2].ranges == SinkRanges())
        let all = ramp(0..<recording.framesReceived), after = Array(all[clear...])
        let heard = try recording.sinks.map { try $0.files.flatMap(bench.samples) }
        let isRight =
            heard == [
                Array(all[..<1000]) + [Int16](repeating: 0, count: clear - 1000) + after, Array(all[..<1000]) + after,
                all,
            ]
        #expect(isRight)
    }

    @Test func `a call that ends before the recording goes on says where it would have`() async throws {
        let bench = try CallBench([(Probe(), "{}")], pauseGuard: 60)
        bench.receive(100)
        bench.session.pause(true)
        bench.receive(100)
        bench.session.pause(false)
        bench.receive(100)
        let recording = try await bench.end()
        #expect(
            recording.events.map(\.type) == ["paused", "resumed"] && recording.events.map(\.frame.frames) == [100, 300])
        #expect(recording.sinks[0].ranges?.masked?.ranges == [100..<300])
    }

    @Test func `the log names the sinks that record in a pause`() async throws {
        let bench = try CallBench([(Probe(), "{}"), (Probe(), #"{"name": "all", "onPause": "record"}"#)])
        bench.session.pause(true)
        #expect(
            bench.everything.values.contains {
                $0.contains("recording paused") && $0.contains(#""sinks.recording": all"#)
            })
        #expect(bench.session.snapshot.sinks.map(\.recordsPauses) == [false, true])
        _ = try await bench.end()
    }

    // MARK: - Typed digits

    /// Returns true if a text is in the manifest, on disk or published, or in any log entry.
    private func isKept(_ text: String, _ bench: CallBench) throws -> Bool {
        let manifests = try bench.workspace.files().filter { $0.hasSuffix(".json") }.map {
            try bench.workspace.text($0)
        }
        return (manifests + bench.everything.values).contains { $0.contains(text) }
    }

    @Test func `digits typed in a pause are counted, and kept nowhere`() async throws {
        let bench = try CallBench([(Probe(), "{}")], onDrain: {})
        bench.receive(100)
        bench.session.note("dtmf", data: ["digit": "A-before"])
        bench.session.pause(true)
        bench.session.note("dtmf", data: ["digit": "4711"])
        bench.session.note("custom", data: ["payload": .object(["keys": .array([.object(["Digits": "4711"])])])])
        bench.session.note("cleared", data: ["reason": "kept"])
        bench.session.noteMalformed("a DTMF message without a digit: {\"x\": 4711}")
        bench.session.pause(false)
        // The audio is not clear of the pause yet.
        bench.session.note("dtmf", data: ["digit": "4711"])
        await bench.recorder.note(
            "input", data: ["dtmf": .object(["digits": "4711"])], of: CallFacts(carrier: "test", uuid: "U"))
        await bench.recorder.note("ringing", data: ["status": "ringing"], of: CallFacts(carrier: "test", uuid: "U"))
        bench.session.noteDrained()
        bench.receive(100)
        // The webhook is late, and the time of its digits is unknown.
        let late = CallEvent(
            frame: .start, at: Date(), type: "input", data: ["dtmf": .object(["digits": "4711"])])
        #expect(bench.session.take(late, facts: CallFacts(carrier: "test", uuid: "U")) == nil)
        bench.session.note("dtmf", data: ["digit": "B-after"])
        let recording = try await bench.end()
        #expect(recording.events.map(\.type) == ["dtmf", "paused", "cleared", "ringing", "resumed", "dtmf"])
        #expect(recording.maskedEvents == 5)
        #expect(try !isKept("4711", bench))
        #expect(try isKept("A-before", bench) && isKept("B-after", bench))
        #expect(try bench.recorder.store.manifest(named: "call").maskedEvents == 5)
    }

    @Test func `digits that a webhook brings when a call is over that was paused to its end are not kept`() async throws
    {
        let bench = try CallBench([(Probe(), "{}")])
        bench.session.pause(true)
        _ = try await bench.end()
        let facts = CallFacts(carrier: "test", uuid: "U")
        await bench.recorder.note("input", data: ["dtmf": .object(["digits": "4711"])], of: facts)
        await bench.recorder.note("completed", data: ["status": "completed"], of: facts)
        let manifest = try bench.recorder.store.manifest(named: "call")
        #expect(manifest.maskedEvents == 1)
        #expect(manifest.events.last?.type == "completed")
        #expect(try !isKept("4711", bench))
    }

    @Test(arguments: [
        ("audio:asr:done", #"{"body": {"results": [{"text": "4711"}]}}"#), ("custom", #"{"asr": {"results": "4711"}}"#),
        ("transcribe", #"{"text": "4711"}"#), ("other", #"{"dtmf_digits": "4711"}"#),
        ("other", #"{"user_input": 4711}"#),
        ("DTMF_relay", #"{"Signal": "4711"}"#), ("other", #"{"payload": "{\"speechResult\": \"4711\"}"}"#),
        ("other", #"{"payload": " {digits: 4711"}"#),
    ])
    func `what a caller entered is known by its name, in whatever form`(type: String, data: String) throws {
        guard case .object(let members) = try JSONValue(parsing: Data(data.utf8)) else {
            throw DiskError("no object")
        }
        #expect(CallEvent(frame: .start, at: Date(), type: type, data: members).tellsEntry)
    }

    @Test(arguments: [
        ("completed", #"{"price": "0.01", "duration": "17", "network": "GB-FIXED", "text": "{not JSON"}"#),
        ("ringing", "{}"),
        ("answered", #"{"headers": {"list": [1, null, true]}}"#),
    ])
    func `what a carrier says of the call itself is no entry`(type: String, data: String) throws {
        guard case .object(let members) = try JSONValue(parsing: Data(data.utf8)) else {
            throw DiskError("no object")
        }
        #expect(!CallEvent(frame: .start, at: Date(), type: type, data: members).tellsEntry)
    }

    @Test func `what is typed long after a pause is kept`() {
        var recording = Recording(
            id: RecordingID(), name: "n", call: CallFacts(carrier: "test"), format: .telephone, startedAt: Date(),
            ended: (Date(), "over"))
        let input = { (seconds: Double) in
            CallEvent(frame: .start, at: Date() + seconds, type: "input", data: [:])
        }
        #expect(!recording.mayTellOfPause(input(0)))
        // Without a `resumed` event, the end of the pause is unknown.
        recording.events = [.init(frame: .start, at: Date(), type: "paused", data: [:])]
        #expect(recording.mayTellOfPause(input(40)))
        recording.events = [
            .init(frame: .start, at: Date(), type: "paused", data: [:]),
            .init(frame: .start, at: Date(), type: "resumed", data: [:]),
        ]
        #expect(recording.mayTellOfPause(input(20)) && !recording.mayTellOfPause(input(40)))
        #expect(!recording.mayTellOfPause(.init(frame: .start, at: Date(), type: "completed", data: ["digit": .null])))
    }

    // MARK: - Clocks

    @Test func `the time of day in a call does not depend on the system's clock being set`() async throws {
        let origin = ContinuousClock.now
        let clock = CallClock(start: Date(timeIntervalSince1970: 1000), origin: origin)
        #expect(clock.date(at: origin + .seconds(90)) == Date(timeIntervalSince1970: 1090))
        #expect(clock.date(at: origin - .seconds(90)) == Date(timeIntervalSince1970: 1000))
        let bench = try CallBench([])
        bench.session.note("n", data: [:])
        await bench.recorder.note("n", data: ["a": 1], of: CallFacts(carrier: "test", uuid: "U"))
        let recording = try await bench.end()
        let times = [recording.startedAt] + recording.events.map(\.at) + [recording.endedAt]
        #expect(times == times.sorted())
    }
}
