import Logging
import NIOCore

/// A handler of one WebSocket's messages: a call, or an echo in tests. Everything here runs on the channel's event
/// loop.
///
/// ``WebSocketHandler`` owns the socket, its rules and its timers, and passes the messages to its consumer.
/// It is generic over the consumer, so that audio needs no dynamic call for each frame.
protocol WebSocketConsumer: AnyObject, SendableMetatype {
    /// A logger with the connection's metadata.
    var logger: Logger { get }
    /// Handles the opening of the connection. A consumer without a first message begins here.
    /// Other consumers have the handshake time for it.
    func attach(to socket: WebSocketHandler<Self>)
    /// Handles a piece of a binary message's payload.
    func receive(binary piece: borrowing MaskedBytes) throws(WebSocketError)
    /// Handles the end of a binary message.
    func receiveBinaryEnd(from socket: WebSocketHandler<Self>) throws(WebSocketError)
    /// Handles a whole text message, which is valid UTF-8.
    func receive(text: [UInt8], from socket: WebSocketHandler<Self>) throws(WebSocketError)
    /// Handles the end of one read of the socket. All its messages have been passed on.
    func receiveReadEnd(from socket: WebSocketHandler<Self>)
    /// Handles the end of a drain. All data received before ``WebSocketHandler/drain()`` has been passed on.
    func receiveDrained()
    /// Handles the end of the connection. May be called more than once; the first reason stands.
    func end(_ reason: String)
}

/// An instruction to a connection, sent as an event through its channel's pipeline.
enum WebSocketInstruction: Sendable {
    /// Close the connection with this error in a close frame.
    case fail(WebSocketError)
    /// Send a close frame now, because the server is shutting down.
    case leave(String)
    /// Report the connection as lost, without a close frame, because it would not arrive.
    /// The sender closes the channel.
    case lost(String)
}

/// The time limits and other limits of a WebSocket connection.
struct WebSocketPolicy: Sendable {
    /// Time for the client to answer a close frame.
    static let closeLimit = TimeAmount.seconds(2)
    /// Time between two reads of a running call's socket.
    let readInterval: TimeAmount
    /// The clocks that wake the server's running calls once in each read interval.
    let clocks: ReadClocks
    /// Bytes of a live call at the usual 16 kHz between two reads, with frame headers and a small margin.
    let readSize: Int
    /// Time without received data until Callreel sends a ping.
    let pingInterval: TimeAmount
    /// Time without received data, pongs included, until Callreel closes the connection.
    let idleLimit: TimeAmount
    /// Time for a client to send its handshake message.
    let handshakeLimit: TimeAmount
    /// The longest time of a call.
    let lengthLimit: TimeAmount
    /// Limit of audio ahead of the clock; nil sets none.
    let aheadLimit: TimeAmount?
    /// Size limits of messages, in bytes.
    let messages: WebSocketFrameDecoder.Limits
    /// The budget of pings and pongs.
    let controlFrames: FrameBudget
    /// The budget of text messages.
    let textMessages: FrameBudget

    /// Makes the policy from the configuration.
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
    /// Converts seconds, whole or not, to a time.
    static func of(seconds: Double) -> TimeAmount { .nanoseconds(Int64(seconds * 1e9)) }

    /// The time in words.
    var text: String {
        let seconds = Double(nanoseconds) / 1e9
        return
            "\(seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)") \(seconds == 1 ? "second" : "seconds")"
    }
}
