import CallreelCore
import Foundation
import Logging
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import CallreelServer

/// The door without a network: what it does by the clock, and when the other side does not read.
@Suite struct CallHandlerTests {
    private let channel = EmbeddedChannel()
    private let started: EventLoopPromise<CallSession?>
    private let directory = TemporaryDirectory()

    init() throws {
        started = channel.eventLoop.makePromise()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = RecordingStore(directory: directory.path, template: try NameTemplate("{id}"))
        let timing = CallHandler.Timing(
            readInterval: .milliseconds(200), pingInterval: .seconds(20), idleLimit: .seconds(60))
        try channel.pipeline.syncOperations.addHandler(
            CallHandler(
                recorder: Recorder(store: store, plans: [], registry: SinkRegistry(), logger: logger), dialect: VonageDialect(), timing: timing,
                started: started, logger: logger))
    }

    /// Sends a client's frame.
    private func send(_ operation: WebSocketFrameDecoder.Operation, _ payload: [UInt8] = []) throws {
        var buffer = ByteBuffer()
        WebSocketFrameEncoder(role: .client).write(operation, payload, to: &buffer)
        try channel.writeInbound(buffer)
    }

    private func startCall() throws {
        try send(.text, Array(PythonCall.handshake(8000).utf8))
        #expect(try started.futureResult.wait() != nil)
    }

    /// The first byte of every frame that the server has sent since the last look.
    private func sent() throws -> [UInt8] {
        var frames: [UInt8] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { frames.append(buffer.getInteger(at: 0) ?? 0) }
        return frames
    }

    @Test func `pings are answered as long as the other side reads`() throws {
        try startCall()
        for _ in 0..<3 { try send(.ping, [1, 2, 3]) }
        #expect(try sent() == [0x8A, 0x8A, 0x8A])
        channel.isWritable = false
        for _ in 0..<1000 { try send(.ping, [1, 2, 3]) }
        #expect(try sent().isEmpty)
        channel.isWritable = true
        try send(.ping, [1, 2, 3])
        #expect(try sent() == [0x8A])
    }

    @Test func `a connection without a sign of life is asked for one, and then given up`() throws {
        try startCall()
        advance(19)
        #expect(try sent().isEmpty)
        advance(2)
        #expect(try sent() == [0x89])
        // An answer is a sign of life.
        try send(.pong)
        advance(19)
        #expect(try sent().isEmpty)
        advance(40)
        #expect(try sent() == [0x89])
        advance(5)
        #expect(try sent() == [0x88])
    }

    private func advance(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

    @Test func `a call that says nothing is told so after ten seconds`() throws {
        advance(9)
        #expect(try sent().isEmpty)
        advance(2)
        #expect(try sent() == [0x88])
        #expect(try started.futureResult.wait() == nil)
    }

    @Test func `a server that ends says goodbye, and takes what was on its way`() throws {
        try startCall()
        #expect(try sent().isEmpty)
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(try sent() == [0x88])
        try send(.binary, [1, 0, 2, 0])
        let session = try #require(try started.futureResult.wait())
        #expect(session.snapshot.framesReceived == 2)
    }
}
