import CallreelCore
import CallreelTesting
import Foundation
import Logging
import Testing

@testable import Recorder

@Suite struct HTTPStreamTests {
    @Test func `the stream keeps the sink contract`() async throws {
        let receiver = try ReceiverProcess()
        try await requireSinkContract(HTTPStream.self, options: Self.options("\(receiver.address)/live"))
        withExtendedLifetime(receiver) {}
    }

    @Test(arguments: [(503, true), (429, true), (401, false), (404, false)])
    func `a refusal is an error, and tells whether to come again`(status: Int, isRetryable: Bool) async throws {
        let receiver = try ReceiverProcess()
        let error = try await failure(Self.options("\(receiver.address)/refuse/\(status)"))
        #expect(error.isRetryable == isRetryable && error.code == .write)
        #expect(error.reason.hasSuffix("/480?rate=8000&channels=1 answered \(status)"))
        withExtendedLifetime(receiver) {}
    }

    @Test func `a server that is not there is an error that may pass`() async throws {
        let error = try await failure(Self.options("http://127.0.0.1:1"))
        #expect(error.isRetryable && error.reason.hasPrefix("cannot reach http://127.0.0.1:1/"))
    }

    @Test func `the probe tells a server that works from one that does not`() async throws {
        let receiver = try ReceiverProcess(), context = Self.context
        #expect(try await HTTPStream.probe(options: Self.options(receiver.address), context: context) == .works)
        for address in ["http://127.0.0.1:1", "\(receiver.address)/refuse/503"] {
            await #expect(throws: SinkError.self) {
                try await HTTPStream.probe(options: Self.options(address), context: context)
            }
        }
    }

    private static func options(_ url: String) -> HTTPStreamOptions {
        var options = HTTPStreamOptions()
        options.url = url
        return options
    }

    private static var context: SinkContext {
        SinkContext(
            recording: RecordingFacts(id: RecordingID(), call: CallFacts(carrier: "test"), startedAt: Date()),
            format: AudioFormat(sampleRate: 8000), sinkName: "httpStream",
            directory: SinkDirectory(path: "/", fileStem: "none"), logger: Logger(label: "test"))
    }

    /// The error of a sink's first chunk.
    private func failure(_ options: HTTPStreamOptions) async throws -> SinkError {
        var sink = HTTPStream(options: options, context: Self.context)
        let chunk = PCMChunk.silence(frames: 160, format: AudioFormat(sampleRate: 8000), start: FramePosition(480))
        do { try await sink.write(chunk) } catch { return error }
        Issue.record("the chunk was taken")
        throw CancellationError()
    }
}
