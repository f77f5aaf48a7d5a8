import CallreelCore
import CallreelTesting
import Foundation
import Logging
import Testing

@testable import Recorder

@Suite struct TranscriberTests {
    @Test func `the transcriber keeps the delivery contract`() async throws {
        let mode = FileManager.default.temporaryDirectory.appending(path: "mode-\(UUID())")
        let turn = { @Sendable (word: String) in try Data(word.utf8).write(to: mode, options: .atomic) }
        defer { try? FileManager.default.removeItem(at: mode) }
        try turn("")
        // The text of a file is its checksum.
        let script = "case $(cat $0) in fail) exit 1;; hang) exec sleep 600;; esac; cksum <\"$1\""
        var options = TranscriberOptions()
        options.command = ["sh", "-c", script, mode.path]
        // All of the kit's recordings with a file have a raw one.
        options.sink = "raw"
        var plan = DeliveryContractPlan(
            delivered: nil, fail: { try turn("fail") }, hang: { try turn("hang") }, recover: { try turn("") })
        plan.address = "\"sh\""
        try await requireDeliveryContract(Transcriber.self, options: options, plan: plan)
    }

    @Test func `the text of all parts is one attachment`() async throws {
        let receipt = try await deliver(["sh", "-c", "echo; echo \"  Grüße von ${0##*/} \"; echo noise >&2"])
        let text = "Grüße von a.wav\nGrüße von b.wav\n"
        #expect(receipt.attachments.map(\.suffix) == ["txt"])
        #expect(receipt.attachments.first?.content == Array(text.utf8))
        #expect(receipt.details == ["files": 2, "words": 6])
    }

    @Test func `a recording without audio needs no program`() async throws {
        let receipt = try await deliver(["/nowhere/program"], files: [])
        #expect(receipt.attachments.isEmpty && receipt.details == ["files": 0])
    }

    @Test func `a program that fails is an error with its last words`() async throws {
        let error = await #expect(throws: DeliveryError.self) {
            try await deliver(["sh", "-c", "echo why >&2; echo not >&2; exit 3"])
        }
        #expect(error?.reason.contains("3") == true && error?.reason.hasSuffix("for a.wav: why / not") == true)
        let missing = await #expect(throws: DeliveryError.self) { try await deliver(["/nowhere/program"]) }
        #expect(missing?.reason == "cannot run \"/nowhere/program\" for a.wav")
        let flood = await #expect(throws: DeliveryError.self) { try await deliver(["sh", "-c", "yes"]) }
        #expect(flood?.cause != nil)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a cancelled attempt ends the program and its children`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "transcriber-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let pids = directory.appending(path: "pids")
        let script = "sleep 600 & echo $! $$ >\(pids.path).new; mv \(pids.path).new \(pids.path); wait"
        let attempt = Task { try await deliver(["sh", "-c", script]) }
        while !FileManager.default.fileExists(atPath: pids.path) { try await Task.sleep(for: .milliseconds(10)) }
        attempt.cancel()
        await #expect(throws: DeliveryError.self) { try await attempt.value }
        let numbers = try String(contentsOf: pids, encoding: .utf8).split(whereSeparator: \.isWhitespace)
        #expect(numbers.count == 2)
        for pid in numbers.compactMap({ pid_t($0) }) {
            // Until init has taken note of an orphan.
            while kill(pid, 0) == 0, state(of: pid) != "Z" { try await Task.sleep(for: .milliseconds(10)) }
        }
    }

    @Test func `a command without a program is refused, and a missing one is an obstacle`() {
        var options = TranscriberOptions()
        for command in [[], [""]] {
            options.command = command
            #expect(Transcriber.refusal(options: options) != nil)
        }
        options.command = ["sh"]
        #expect(Transcriber.refusal(options: options) == nil && Transcriber.obstacle(options: options) == nil)
        options.command = ["no-such-program"]
        #expect(Transcriber.obstacle(options: options) == "there is no program \"no-such-program\"")
    }

    /// Delivers a recording of two WAV files and another one.
    private func deliver(
        _ command: [String], files: [(String, String)] = [("a.wav", "wav"), ("a.flac", "flac"), ("b.wav", "wav")]
    ) async throws -> DeliveryReceipt {
        var options = TranscriberOptions()
        options.command = command
        let context = DeliveryContext(
            place: .root, name: "transcriber", deadline: .seconds(60), logger: Logger(label: "test"))
        var recording = PublishedRecording(
            id: RecordingID(), name: "call", manifestPath: "call.json", call: CallFacts(carrier: "test"),
            startedAt: Date())
        recording.files = files.map { .init(path: $0.0, sink: $0.1, bytes: 0, sha256: "") }
        return try await Transcriber(options: options, context: context).deliver(recording)
    }

    /// The state of a process as in `/proc`, such as Z for a zombie.
    private func state(of pid: pid_t) -> Substring? {
        let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        return text?.split(separator: ") ").last?.prefix(1)
    }
}
