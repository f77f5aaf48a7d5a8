import Foundation
import TestSupport
import Testing

@testable import CallreelCore
@testable import CallreelEngine

/// The live ledger of a call, its published form, and the part that other programs read.
@Suite struct CallLedgerTests {
    /// A ledger with a value in every place.
    private func full() -> CallLedger {
        var sink = CallLedger.Sink(
            type: "raw", name: "raw", state: .ended(.failed), directories: ["/far", "/farther"])
        sink.written = 5
        sink.silence = 4
        sink.masked = 3
        sink.skipped = 2
        sink.lost = 1
        sink.ranges = SinkRanges()
        sink.ranges?.lost = FrameRanges([14..<15])
        sink.heldSeconds = 0.5
        sink.stalls = 6
        sink.format = AudioFormat(sampleRate: 16000, channels: 2)
        sink.onPause = .skip
        sink.files = [
            .init(
                name: "call.part2.raw", directory: "/far", bytes: 7, frames: 8, start: FramePosition(9),
                sha256: String(repeating: "a", count: 64))
        ]
        sink.details = ["encoding": "s16le"]
        sink.error = "no space"
        sink.blame = .destination
        var ledger = CallLedger(
            id: RecordingID(), name: "day/call", call: CallFacts(carrier: "test", from: "1"), format: .telephone,
            startedAt: Date(timeIntervalSince1970: 1_000_000), sinks: [sink])
        ledger.program = "Callreel"
        ledger.partName = "day/call-{part}"
        ledger.owner = "owner"
        ledger.boot = "boot"
        ledger.publishedAs = "day/call-2"
        ledger.endedAt = Date(timeIntervalSince1970: 1_000_001)
        ledger.endReason = "over"
        ledger.framesReceived = 15
        ledger.leftoverBytes = 1
        ledger.malformedMessages = 2
        ledger.droppedEvents = 3
        ledger.maskedEvents = 4
        ledger.events = [.init(frame: FramePosition(5), at: ledger.startedAt, type: "dtmf", data: ["digit": "5"])]
        return ledger
    }

    /// Returns the keys of a JSON object, and those of its first sink and that sink's first file.
    private func keys(_ account: some CallAccount) throws -> [Set<String>] {
        func members(_ value: JSONValue?) -> [String: JSONValue] {
            if case .object(let members) = value { members } else { [:] }
        }
        func first(_ value: JSONValue?) -> JSONValue? {
            if case .array(let elements) = value { elements.first } else { nil }
        }
        let call = members(try JSONValue(parsing: account.encoded())), sink = members(first(call["sinks"]))
        return [Set(call.keys), Set(sink.keys), Set(members(first(sink["files"])).keys)]
    }

    @Test func `a ledger reads back as it was written`() throws {
        let ledger = full()
        #expect(try CallLedger(json: ledger.encoded()).encoded() == ledger.encoded())
        var running = ledger
        running.sinks[0].state = .recording
        #expect(try CallLedger(json: running.encoded()).sinks[0].state == .recording)
    }

    @Test func `the manifest tells all that the ledger knows, but for the recorder's own affairs`() throws {
        let ledger = full(), manifest = try ledger.manifest(as: "day/call-2") { "renamed " + $0 }
        #expect(manifest.name == "day/call-2" && manifest.sinks[0].files.map(\.name) == ["renamed call.part2.raw"])
        let (live, published) = (try keys(ledger), try keys(manifest))
        #expect(live[0].subtracting(published[0]) == ["partName", "owner", "boot", "publishedAs"])
        #expect(live[1].subtracting(published[1]) == ["directories"])
        #expect(live[2] == published[2] && zip(live, published).allSatisfy { $0.isSuperset(of: $1) })
        #expect(try ManifestSchema.problems(manifest.encoded()).isEmpty)
        #expect(try !ManifestSchema.problems(ledger.encoded()).isEmpty)
    }

    @Test func `a published call that is taken up again and published has the same manifest`() throws {
        let manifest = try full().manifest(as: "day/call-2")
        #expect(try CallLedger(reopening: manifest).manifest(as: manifest.name).encoded() == manifest.encoded())
    }

    @Test func `a call is not published before it, its sinks and its files have come to their end`() throws {
        var (running, unmeasured, open) = (full(), full(), full())
        running.endedAt = nil
        unmeasured.sinks[0].files[0].sha256 = nil
        open.sinks[0].state = .recording
        for (ledger, reason) in [
            (running, "before its end"), (unmeasured, "before it is measured"), (open, "sink raw"),
        ] {
            let error = #expect(throws: DiskError.self) { try ledger.manifest(as: "day/call") }
            #expect(error?.description.contains(reason) == true)
        }
    }

    @Test func `other programs find the unfinished calls, and the places of their files`() throws {
        let bench = try InterruptedBench()
        var ledger = bench.manifest([bench.sink("probe", [("call.pcm", 0)], directories: ["/far"])])
        try bench.plant(ledger)
        let call = try #require(UnfinishedCall.all(in: bench.workspace.path).first)
        #expect(call.id == bench.id && call.call.from == "1" && call.roots == ["/far"])
        #expect(call.mayPublish("/far/day/call-2.pcm", in: "/far"))
        #expect(!call.mayPublish("/far/day/caller.pcm", in: "/far") && !call.mayPublish("/day/call.pcm", in: "/far"))
        ledger.sinks[0].directories = ["far"]
        try bench.plant(ledger)
        #expect(UnfinishedCall.all(in: bench.workspace.path).isEmpty, "a directory that is not absolute")
        ledger.sinks[0].directories = ["/far"]
        ledger.partName = "day/part-{part}-of-call"
        try bench.plant(ledger)
        let parts = try #require(UnfinishedCall.all(in: bench.workspace.path).first)
        #expect(
            parts.mayPublish("/far/day/part-3.pcm", in: "/far") && !parts.mayPublish("/far/day/call.pcm", in: "/far"))
    }
}
