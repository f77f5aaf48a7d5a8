import Logging
import NIOCore

/// What is made of the messages of one WebSocket: a call, or in tests an echo.
///
/// ``WebSocketHandler`` owns the socket, its rules and its clocks, and tells a consumer what came. It is generic over the consumer, so
/// that audio goes from the socket to its place without a dynamic call for each frame. All of it is on the channel's event loop.
protocol WebSocketConsumer: AnyObject, SendableMetatype {
    /// A logger that knows whose connection this is.
    var logger: Logger { get }
    /// The connection is open. Whoever needs no first message begins here; the others have the handshake time for it.
    func attach(to socket: WebSocketHandler<Self>)
    /// A piece of a binary message's payload.
    func receive(binary piece: borrowing MaskedBytes) throws(WebSocketError)
    /// A binary message has ended.
    func receiveBinaryEnd(from socket: WebSocketHandler<Self>) throws(WebSocketError)
    /// A whole text message, which is valid UTF-8.
    func receive(text: [UInt8], from socket: WebSocketHandler<Self>) throws(WebSocketError)
    /// What one read of the socket gave has been handed in.
    func receiveReadEnd(from socket: WebSocketHandler<Self>)
    /// Everything was handed in that had come when ``WebSocketHandler/drain()`` was called.
    func receiveDrained()
    /// Nothing follows. May come more than once; the first reason stands.
    func end(_ reason: String)
}

/// What a connection is told from outside, through its channel's pipeline.
enum WebSocketInstruction: Sendable {
    /// The connection cannot go on; the other side is told this, with the code.
    case fail(WebSocketError)
    /// Say goodbye now, whatever time there was left.
    case leave(String)
    /// The connection is closed without a word, because none would arrive.
    case lost(String)
}

/// The times and bounds that decide about a WebSocket connection.
struct WebSocketPolicy: Sendable {
    /// How long the other side may take to answer a close frame.
    static let closeLimit = TimeAmount.seconds(2)
    /// Between two reads of a running call's socket.
    let readInterval: TimeAmount
    /// What wakes the running calls of the server once in each read interval.
    let clocks: ReadClocks
    /// Bytes that a live call of the usual rate, 16 kHz, sends between two reads, with its frames' headers and a little more.
    let readSize: Int
    /// Without anything received, until the other side is asked for a sign of life.
    let pingInterval: TimeAmount
    /// Without anything received, not even an answer to pings, until the connection is given up.
    let idleLimit: TimeAmount
    /// How long a client may take to send its handshake message.
    let handshakeLimit: TimeAmount
    /// How long a call may last.
    let lengthLimit: TimeAmount
    /// How much audio a call may be ahead of the clock; nil is any amount.
    let aheadLimit: TimeAmount?
    /// Bytes of messages.
    let messages: WebSocketFrameDecoder.Limits
    /// Pings, pongs and close frames.
    let controlFrames: FrameBudget
    /// Text messages.
    let textMessages: FrameBudget

    /// The policy that the configuration describes.
    init(_ listen: Configuration.Listen, _ limits: Configuration.Limits) {
        readInterval = .of(seconds: listen.readInterval)
        clocks = ReadClocks(interval: readInterval)
        readSize = Int(listen.readInterval * 40_000)
        pingInterval = .of(seconds: listen.pingInterval)
        idleLimit = .of(seconds: listen.idleTimeout)
        handshakeLimit = .of(seconds: limits.handshakeTimeout)
        lengthLimit = .of(seconds: limits.callLength)
        aheadLimit = limits.aheadOfTime.map { .of(seconds: $0) }
        messages = .init(text: limits.textMessageBytes, binary: limits.binaryMessageBytes)
        controlFrames = FrameBudget(perSecond: limits.controlFramesPerSecond, seconds: limits.burstSeconds)
        textMessages = FrameBudget(perSecond: limits.textMessagesPerSecond, seconds: limits.burstSeconds)
    }
}

extension TimeAmount {
    /// A number of seconds, whole or not, as configurations have them.
    static func of(seconds: Double) -> TimeAmount { .nanoseconds(Int64(seconds * 1e9)) }

    /// The time in words.
    var text: String {
        let seconds = Double(nanoseconds) / 1e9
        return "\(seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)") \(seconds == 1 ? "second" : "seconds")"
    }
}
