import AsyncHTTPClient
import CallreelCore
import Foundation
import NIOCore

/// Sends a call's audio to an HTTP server while the call runs, in pieces put one after the other.
///
/// `PUT <url>/<id>/<frame>` carries the samples from that frame of the call on: 16 bits, little-endian, interleaved.
/// `PUT <url>/<id>/end` says in JSON why the call ended.
///
/// `write` returns when the server has confirmed the piece. So the manifest counts what has arrived, the sink holds one
/// piece in memory, and a slow server is slow for nobody else: Callreel queues the audio. An error ends this instance.
/// With `retry` in the entry, the next one begins with the first frame that is not confirmed. A piece may come twice,
/// under the same address.
struct HTTPStream: AudioSink {
    static let type = "httpStream"
    static let summary = "audio in pieces to an HTTP server while the call runs"

    static func files(options: HTTPStreamOptions) -> SinkFiles { .suffixes([]) }

    /// The client of all calls. It lives as long as the program, and keeps connections open between pieces. A server
    /// that is down is an error at once: Callreel comes again by itself.
    private static let client = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    private let options: HTTPStreamOptions
    private let directory: String
    private let format: AudioFormat
    private var frames = 0

    /// Opens nothing: the server hears of a call with its first piece.
    init(options: HTTPStreamOptions, context: SinkContext) {
        self.options = options
        directory = "\(options.url)/\(context.recordingID)"
        format = context.format
    }

    /// Asks for the server's address, without a call.
    static func probe(options: HTTPStreamOptions, context: SinkContext) async throws(SinkError) -> ProbeAnswer {
        var request = HTTPClientRequest(url: options.url)
        request.method = .HEAD
        let status = try await send(request, timeout: options.timeout, failure: .open)
        guard status < 500 else { throw SinkError(.open, "\(options.url) answered \(status)") }
        return .works
    }

    mutating func write(_ chunk: borrowing PCMChunk) async throws(SinkError) {
        // The machines that Swift runs on are little-endian.
        let body = chunk.samples.withUnsafeBytes { ByteBuffer(bytes: $0) }
        try await put(body, "\(chunk.start.frames)", failure: .write)
        frames += chunk.frameCount
    }

    consuming func finish(_ end: CallEnd) async throws(SinkError) -> SinkReceipt {
        if let reason = end.reason {
            let facts = JSONValue.object(["frames": .integer(end.frames), "reason": .string(reason)])
            try await put(ByteBuffer(string: facts.json()), "end", failure: .finish)
        }
        return SinkReceipt(frames: frames, details: ["url": .string(directory)])
    }

    /// Puts a piece. Throws if the server does not confirm it with a status of 200 to 299.
    private func put(_ body: ByteBuffer, _ name: String, failure: SinkError.Code) async throws(SinkError) {
        let address = "\(directory)/\(name)?rate=\(format.sampleRate)&channels=\(format.channels)"
        var request = HTTPClientRequest(url: address)
        request.method = .PUT
        request.body = .bytes(body)
        let status = try await Self.send(request, timeout: options.timeout, failure: failure)
        if 200..<300 ~= status { return }
        // A server in trouble may recover. One that refuses will refuse the next piece too.
        let isInTrouble = status >= 500 || [408, 425, 429].contains(status)
        throw SinkError(failure, "\(address) answered \(status)", blame: isInTrouble ? .destination : .options)
    }

    /// Sends a request. Returns the status of the answer.
    private static func send(
        _ request: HTTPClientRequest, timeout: Double, failure: SinkError.Code
    ) async throws(SinkError) -> UInt {
        do {
            let response = try await client.execute(request, timeout: TimeAmount(.seconds(timeout)))
            // The connection is free for the next piece when the answer is read to its end.
            for try await _ in response.body {}
            return response.status.code
        } catch {
            throw SinkError(failure, "cannot reach \(request.url)", cause: error)
        }
    }
}
