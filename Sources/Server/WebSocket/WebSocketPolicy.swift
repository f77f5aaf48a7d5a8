import CallreelWebSocket
import NIOCore

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
