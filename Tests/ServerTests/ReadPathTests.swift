import CallreelCore
import Foundation
import Logging
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import CallreelCarriers
@testable import CallreelEngine
@testable import CallreelServer
@testable import CallreelWebSocket

/// A call's handler that reads a real socket past NIO, by a clock moved by the test.
@Suite final class ReadPathTests {
    private let channel = EmbeddedChannel()
    private let directory = TemporaryDirectory()
    private let book = LogBook()
    /// The server's end and the carrier's.
    private let ends: [Int32]
    private var isCarrierOpen = true
    private var session: CallSession?

    init() {
        var ends: [Int32] = [0, 0]
        #if canImport(Darwin)
            let type = SOCK_STREAM
        #else
            let type = Int32(SOCK_STREAM.rawValue)
        #endif
        let made = unsafe socketpair(AF_UNIX, type, 0, &ends)
        #expect(made == 0)
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        self.ends = ends
    }

    deinit {
        close(ends[0])
        if isCarrierOpen { close(ends[1]) }
    }

    /// Starts a call of 8 kHz whose socket is read by the clock.
    private func start(aheadOfTime: Double? = nil) throws {
        let store = RecordingStore(directory: directory.path, template: try NameTemplate("{id}"))
        var limits = Configuration.Limits()
        limits.aheadOfTime = aheadOfTime
        let policy = WebSocketPolicy(.init(), limits)
        try store.prepare()
        let call = CallConsumer(
            recorder: Recorder(
                store: store, settings: RecorderSettings(sinks: []), registry: SinkRegistry(), logger: book.logger),
            dialect: VonageDialect(), aheadLimit: policy.aheadLimit, logger: book.logger)
        try channel.pipeline.syncOperations.addHandler(
            WebSocketHandler(consumer: call, policy: policy, socket: ends[0]) { _ in })
        // NIO reads all bytes before the call begins.
        try channel.writeInbound(frame(.text, Array(PythonCall.handshake(8000).utf8)))
        session = call.session
    }

    private func frame(_ operation: WebSocketFrameDecoder.Operation, _ payload: [UInt8]) -> ByteBuffer {
        ByteBuffer(bytes: WebSocketFrameEncoder(role: .client).frame(operation, payload))
    }

    private var received: Int { session?.snapshot.framesReceived ?? 0 }

    /// Writes as many bytes as the socket takes, and returns the rest.
    private func send(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let sent = unsafe bytes.withUnsafeBytes { unsafe write(ends[1], $0.baseAddress, $0.count) }
        return bytes.dropFirst(max(0, sent))
    }

    private func advance(_ milliseconds: Int64) {
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(milliseconds))
    }

    @Test func `frames are read from the socket once in each interval`() throws {
        try start()
        let audio = frame(.binary, [UInt8](repeating: 1, count: 320))
        for turn in 1...5 {
            for _ in 0..<10 { #expect(send(Array(buffer: audio)[...]).isEmpty) }
            #expect(received == (turn - 1) * 1600)
            advance(200)
            #expect(received == turn * 1600)
        }
    }

    @Test func `a frame that comes in pieces is taken when it is whole, and a backlog in one turn`() throws {
        try start()
        let one = Array(buffer: frame(.binary, [UInt8](repeating: 1, count: 320)))
        #expect(send(one[..<200]).isEmpty)
        advance(200)
        #expect(received < 160)
        #expect(send(one[200...]).isEmpty)
        advance(200)
        #expect(received == 160)
        // More than one read takes.
        #expect(send(Array(repeating: one, count: 400).joined().map { $0 }[...]).isEmpty)
        advance(200)
        #expect(received == 160 * 401)
    }

    @Test func `a carrier that is gone ends the call, with all that it sent`() throws {
        try start()
        #expect(send(Array(buffer: frame(.binary, [UInt8](repeating: 1, count: 320)))[...]).isEmpty)
        close(ends[1])
        isCarrierOpen = false
        advance(200)
        #expect(received == 160)
        // NIO finds the end when it is asked to read.
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(!channel.isActive)
    }

    @Test(arguments: [2.0, nil]) func `a call that is far ahead of the clock is read at the pace of time`(
        limit: Double?
    ) throws {
        try start(aheadOfTime: limit)
        let frames = 8000 * 12
        let one = Array(buffer: frame(.binary, [UInt8](repeating: 1, count: 320)))
        var left = Array(repeating: one, count: frames / 160).joined().map { $0 }[...]
        // Frames that one read of the socket takes beyond the limit.
        let slack = (1 << 16) / 2
        var seconds = 0.0
        while received < frames, seconds < 60 {
            left = send(left)
            advance(200)
            seconds += 0.2
            if let limit { #expect(Double(received) <= (seconds + limit) * 8000 + Double(slack), "after \(seconds) s") }
        }
        #expect(received == frames)
        #expect((seconds > 5) == (limit != nil), "\(seconds) s")
        #expect(book.lines.count { $0.contains("call is ahead of real time") } == (limit == nil ? 0 : 1))
    }
}

extension Array where Element == UInt8 {
    fileprivate init(buffer: ByteBuffer) { self = Array(buffer.readableBytesView) }
}
