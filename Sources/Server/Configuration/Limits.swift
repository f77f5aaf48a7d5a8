package import CallreelCore
import CallreelEngine

extension Configuration {
    /// The limits on each client and on all clients together.
    ///
    /// Above a limit, Callreel refuses or closes the connection with a code for the reason, and counts it.
    /// Running calls continue.
    package struct Limits: Configurable {
        package var calls = 1000
        package var connections = 12000
        package var connectionsPerAddress = 2000
        package var headerBytes = 16384
        package var bodyBytes = 65536
        package var textMessageBytes = 65536
        package var binaryMessageBytes = 1_048_576
        package var handshakeTimeout = 10.0
        package var keepAliveTimeout = 75.0
        package var slowReaderTimeout = 60.0
        package var failedTriesPerMinute = 120
        package var callLength = 14400.0
        package var aheadOfTime: Double? = 900
        package var controlFramesPerSecond = 100
        package var textMessagesPerSecond = 200
        package var burstSeconds = 10
        package var events = CallSession.eventLimit
        package var lateEvents = Recorder.lateEventLimit

        package init() {}

        package static let fields: [Field<Self>] = [
            .integer(
                "calls", \.calls, in: 1...1_000_000,
                "Calls at once. Further calls get status 503 at the answer webhook and at the upgrade."),
            .integer(
                "connections", \.connections, in: 1...1_000_000,
                "Connections at once, including calls. Further connections get status 503."),
            .integer(
                "connectionsPerAddress", \.connectionsPerAddress, in: 1...1_000_000,
                "Connections at once from one IPv4 address or IPv6 /64 network. Further connections get status 503. "
                    + "A carrier has few addresses."
            ),
            .integer(
                "headerBytes", \.headerBytes, in: 1024...1_048_576,
                "Bytes of a request's target and header. A larger request gets status 431."),
            .integer(
                "bodyBytes", \.bodyBytes, in: 1024...16_777_216,
                "Bytes of a webhook's body. A larger body gets status 413."),
            .integer(
                "textMessageBytes", \.textMessageBytes, in: 1024...16_777_216,
                "Bytes of a call's text message, in one frame or many. A larger one ends the call with close code 1009."
            ),
            .integer(
                "binaryMessageBytes", \.binaryMessageBytes, in: 1024...268_435_456,
                "Bytes of a call's binary message. A larger one ends the call with close code 1009."),
            .number(
                "handshakeTimeout", \.handshakeTimeout, in: 0.1...3600,
                "Seconds for a request's header, and again for its body. A late request gets status 408. "
                    + "A call without a first message by then is closed with 1008."
            ),
            .number(
                "keepAliveTimeout", \.keepAliveTimeout, in: 0.1...3600,
                "Seconds that a connection may be idle between requests. A proxy should close idle connections earlier."
            ),
            .number(
                "slowReaderTimeout", \.slowReaderTimeout, in: 0.1...3600,
                "Seconds without a read by a client, after which its connection is closed. Slow readers stay connected."
            ),
            .integer(
                "failedTriesPerMinute", \.failedTriesPerMinute, in: 1...1_000_000,
                "Wrong passwords, tokens and signatures per minute from one address. Further tries wait or get 429."
            ),
            .number(
                "callLength", \.callLength, in: 1...604_800,
                "Seconds that a call may last. Then Callreel closes it with 1008 and finishes the recording."
            ),
            .number(
                "aheadOfTime", \.aheadOfTime, in: 1...604_800,
                "Seconds of audio that a call may be ahead of real time. Further audio is read in real time. "
                    + "null has no limit."
            ),
            .integer(
                "controlFramesPerSecond", \.controlFramesPerSecond, in: 1...1_000_000,
                "Pings and pongs per second from a call's carrier, on average. More end the call with code 1008."),
            .integer(
                "textMessagesPerSecond", \.textMessagesPerSecond, in: 1...1_000_000,
                "Text messages per second from a call's carrier, on average. More end the call with close code 1008."),
            .integer(
                "burstSeconds", \.burstSeconds, in: 1...3600,
                "Seconds of control frames, and of text messages, that may come at once."),
            .integer(
                "events", \.events, in: 0...1_000_000,
                "Events in one manifest, at most 4096 bytes each and 1 MiB together. Further events are only counted."
            ),
            .integer(
                "lateEvents", \.lateEvents, in: 0...10_000,
                "Events added to one manifest after its call has ended. Further events are only counted."
            ),
        ]
    }
}
