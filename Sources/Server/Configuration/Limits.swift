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
                "Calls at once; further ones get status 503 at the answer webhook and at the upgrade."),
            .integer(
                "connections", \.connections, in: 1...1_000_000,
                "Connections at once, calls among them; further ones get status 503."),
            .integer(
                "connectionsPerAddress", \.connectionsPerAddress, in: 1...1_000_000,
                "Connections at once from one IPv4 address or one IPv6 /64 network; further ones get status 503. A carrier has few addresses."
            ),
            .integer(
                "headerBytes", \.headerBytes, in: 1024...1_048_576,
                "Bytes of a request's target and header; a larger one gets status 431."),
            .integer(
                "bodyBytes", \.bodyBytes, in: 1024...16_777_216,
                "Bytes of a webhook's body; a larger one gets status 413."),
            .integer(
                "textMessageBytes", \.textMessageBytes, in: 1024...16_777_216,
                "Bytes of one text message of a call, in one frame or many; a larger one ends the call with close code 1009."
            ),
            .integer(
                "binaryMessageBytes", \.binaryMessageBytes, in: 1024...268_435_456,
                "Bytes of one binary message of a call; a larger one ends the call with close code 1009."),
            .number(
                "handshakeTimeout", \.handshakeTimeout, in: 0.1...3600,
                "Seconds for a request's header and again for its body, else status 408; and for a call's first message, else close code 1008."
            ),
            .number(
                "keepAliveTimeout", \.keepAliveTimeout, in: 0.1...3600,
                "Seconds that a connection may rest between two requests. A proxy in front should close its resting connections earlier."
            ),
            .number(
                "slowReaderTimeout", \.slowReaderTimeout, in: 0.1...3600,
                "Seconds in which a client reads nothing of what is sent to it before its connection is closed. Slow readers are not closed."
            ),
            .integer(
                "failedTriesPerMinute", \.failedTriesPerMinute, in: 1...1_000_000,
                "Wrong passwords, tokens and signatures in a minute from one address; further tries wait for their turn, or get status 429."
            ),
            .number(
                "callLength", \.callLength, in: 1...604_800,
                "Seconds that a call may last; then the carrier is told so with close code 1008 and the recording is finished."
            ),
            .number(
                "aheadOfTime", \.aheadOfTime, in: 1...604_800,
                "Seconds of audio that a call may be ahead of the clock; beyond that it is read at the pace of time. Null reads without a bound."
            ),
            .integer(
                "controlFramesPerSecond", \.controlFramesPerSecond, in: 1...1_000_000,
                "Pings and pongs that a call's carrier may send, on average; more end the call with close code 1008."),
            .integer(
                "textMessagesPerSecond", \.textMessagesPerSecond, in: 1...1_000_000,
                "Text messages that a call's carrier may send, on average; more end the call with close code 1008."),
            .integer(
                "burstSeconds", \.burstSeconds, in: 1...3600,
                "How many seconds' worth of control frames, and of text messages, may come at once."),
            .integer(
                "events", \.events, in: 0...1_000_000,
                "Events that one manifest keeps, of at most 4096 bytes each and 1 MiB together; further ones are only counted in it."
            ),
            .integer(
                "lateEvents", \.lateEvents, in: 0...10_000,
                "Events that may be added to one manifest after its call has ended; further ones are only counted in it."
            ),
        ]
    }
}
