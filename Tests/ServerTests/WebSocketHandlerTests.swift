import CallreelCore
import Foundation
import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import TestSupport
import Testing

@testable import CallreelCarriers
@testable import CallreelEngine
@testable import CallreelServer
@testable import CallreelWebSocket

/// Keeps a handler's counts.
private final class Counted: Sendable {
    private let reasons = Mutex<[RefusalReason]>([])

    var all: [RefusalReason] { reasons.withLock { $0 } }
    func add(_ error: WebSocketError) {
        if let reason = error.refusal { reasons.withLock { $0.append(reason) } }
    }
}

/// The handler of a call without a network: its timers, and its work when the other side does not read.
@Suite struct WebSocketHandlerTests {
    private let channel = EmbeddedChannel()
    private let call: CallConsumer
    private let directory = TemporaryDirectory()
    /// The refusals counted.
    private let refusals = Counted()

    init() throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = RecordingStore(directory: directory.path, template: try NameTemplate("{id}"))
        try store.prepare()
        call = CallConsumer(
            recorder: Recorder(
                store: store, settings: RecorderSettings(sinks: []), registry: SinkRegistry(), logger: logger),
            dialect: VonageDialect(), logger: logger)
        try channel.pipeline.syncOperations.addHandler(
            WebSocketHandler(consumer: call, policy: WebSocketPolicy(.init(), .init()), onRefusal: refusals.add))
    }

    /// Sends a client's frame.
    private func send(_ operation: WebSocketFrameDecoder.Operation, _ payload: [UInt8] = []) throws {
        try channel.writeInbound(ByteBuffer(bytes: WebSocketFrameEncoder(role: .client).frame(operation, payload)))
    }

    private func startCall() throws {
        try send(.text, Array(PythonCall.handshake(8000).utf8))
        #expect(call.session != nil)
    }

    /// Returns the first byte of every frame sent by the server since the last look.
    private func sent() throws -> [UInt8] {
        var frames: [UInt8] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
            frames.append(buffer.getInteger(at: 0) ?? 0)
        }
        return frames
    }

    @Test func `a call that is over leaves nothing of itself in memory`() throws {
        weak var handler: WebSocketHandler<CallConsumer>?
        do { handler = try channel.pipeline.syncOperations.handler(type: WebSocketHandler<CallConsumer>.self) }
        #expect(handler != nil)
        try startCall()
        try send(.binary, [1, 2, 3, 4])
        _ = try channel.finish()
        #expect(handler == nil)
    }

    @Test func `pings are answered as long as the other side reads`() throws {
        try startCall()
        for _ in 0..<3 { try send(.ping, [1, 2, 3]) }
        #expect(try sent() == [0x8A, 0x8A, 0x8A])
        channel.isWritable = false
        for _ in 0..<900 { try send(.ping, [1, 2, 3]) }
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
        #expect(call.session == nil)
    }

    @Test func `a call whose first message crosses the server's goodbye is recorded`() throws {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(try sent() == [0x88])
        try startCall()
        try send(.binary, [1, 0, 2, 0])
        #expect(call.session?.snapshot.framesReceived == 2)
    }

    @Test func `a binary message before the call begins is refused at its first byte`() throws {
        // The first frame of a message that never ends.
        let frame = WebSocketFrameEncoder(role: .client).frame(.binary, [1])
        try channel.writeInbound(ByteBuffer(bytes: [frame[0] & 0x7F] + frame.dropFirst()))
        #expect(try sent() == [0x88])
    }

    @Test func `a server that ends says goodbye, and takes what was on its way`() throws {
        try startCall()
        #expect(try sent().isEmpty)
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(try sent() == [0x88])
        try send(.binary, [1, 0, 2, 0])
        let session = try #require(call.session)
        #expect(session.snapshot.framesReceived == 2)
    }

    @Test func `more pings or texts than a second's share are taken in a burst, and not for ever`() throws {
        try startCall()
        _ = try sent()
        for _ in 0..<1000 { try send(.pong) }
        #expect(try sent().isEmpty && refusals.all.isEmpty)
        advance(3)
        for _ in 0..<300 { try send(.pong) }
        #expect(refusals.all.isEmpty)
        for _ in 0..<2 { try send(.pong) }
        #expect(try sent() == [0x88] && refusals.all == [.controlFlood])
    }

    @Test func `a call ends politely when it has lasted as long as calls may`() throws {
        try startCall()
        for _ in 0..<293 {
            advance(49)
            try send(.binary, [1, 0])
        }
        _ = try sent()
        #expect(refusals.all.isEmpty)
        advance(14400 - 293 * 49 + 1)
        #expect(try sent().last == 0x88 && refusals.all == [.callLength])
        // Audio on its way is still recorded.
        let session = try #require(call.session)
        let before = session.snapshot.framesReceived
        try send(.binary, [1, 0])
        #expect(session.snapshot.framesReceived == before + 1)
    }
}
