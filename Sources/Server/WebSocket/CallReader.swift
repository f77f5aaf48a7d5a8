import NIOCore

/// The reasons to stop reading a call's socket.
struct SocketHolds: OptionSet {
    let rawValue: Int
    /// The consumer has no room.
    static var room: Self { Self(rawValue: 1) }
    /// The call is ahead of the clock.
    static var time: Self { Self(rawValue: 2) }
}

/// The pacing of a call's reads: by the clock, or as fast as the sinks take the data.
///
/// The clock reads a call that arrives no faster than real time, so that one system call reads many frames. A call that
/// catches up is read on at once.
struct CallReader {
    /// Consecutive reads past NIO, after which NIO does one. The event loop checks its other sockets only then.
    private static let rowLimit = 32

    /// The socket for reads past NIO, while the channel is open; nil if NIO does all reads.
    private var socket: NIOBSDSocket.Handle?
    private var place: (clock: ReadClock, ticket: ReadClock.Ticket)?
    /// Bytes of one second of a live call; nil reads all data as fast as it arrives.
    private var bytesPerSecond: Int?
    /// Seconds between two ticks of the clock.
    private let interval: Double
    /// Bytes of a live call at the usual rate in an interval.
    private let readSize: Int
    /// Bytes received since the clock's last read.
    private var bytesSinceTick = 0
    /// Ticks since ``beginDrain()``; nil without a pending drain.
    private var ticksOfDrain: Int?
    /// Reading was paused at some time since the last tick.
    private var wasHeldBack = false
    /// The call arrived no faster than real time in the last whole interval.
    private var wasAtPace = true
    /// Consecutive reads past NIO without a check of other sockets.
    private var readsInRow = 0
    /// A further read is scheduled.
    private var isReadingOn = false
    /// The reasons not to read the socket now.
    private(set) var holds: SocketHolds = []

    /// Makes the reader of a new connection.
    /// - Parameter socket: the channel's socket, if its bytes are plain frames; nil if a layer like TLS is in between.
    init(socket: NIOBSDSocket.Handle?, policy: WebSocketPolicy) {
        self.socket = socket
        interval = Double(policy.readInterval.nanoseconds) / 1e9
        readSize = policy.readSize
    }

    /// The socket and the reader to read it with; nil if NIO does the next read.
    var direct: (socket: NIOBSDSocket.Handle, reader: SocketReader)? {
        guard let socket, let place else { return nil }
        return (socket, place.clock.reader)
    }

    /// The socket must not be read now.
    var isHeldBack: Bool { !holds.isEmpty }

    /// The call began, and arrives no faster than real time, with a margin.
    var isAtPace: Bool {
        guard let bytesPerSecond else { return false }
        return Double(bytesSinceTick) <= max(2 * interval * Double(bytesPerSecond), Double(2 * readSize))
    }

    // MARK: - The clock

    /// Begins reading by a clock. Returns the group of calls read in the same turn.
    mutating func begin(_ pace: WebSocketFlow.Pace, on clock: ReadClock, tick: @escaping () -> Void) -> Int {
        if case .live(let bytes) = pace { bytesPerSecond = bytes }
        let ticket = clock.add(tick)
        place = (clock, ticket)
        return ticket.group
    }

    /// Stops reading by the clock.
    mutating func stopClock() {
        if let (clock, ticket) = place.take() { clock.remove(ticket) }
    }

    /// Forgets the socket, because the channel is closed.
    mutating func close() { socket = nil }

    // MARK: - What has come

    /// Counts received bytes.
    mutating func received(_ count: Int) { bytesSinceTick += count }

    /// Begins a new interval. Returns true if a drain has ended.
    ///
    /// NIO does not report an empty socket. A whole interval at no more than real-time speed shows that the drain is
    /// complete.
    mutating func tick() -> Bool {
        wasAtPace = isAtPace && !isHeldBack && !wasHeldBack
        var isDrained = false
        if let ticks = ticksOfDrain {
            ticksOfDrain = ticks + 1
            if ticks > 0, wasAtPace { isDrained = true }
        }
        if isDrained { ticksOfDrain = nil }
        bytesSinceTick = 0
        wasHeldBack = isHeldBack
        return isDrained
    }

    /// Begins a drain.
    mutating func beginDrain() { ticksOfDrain = 0 }

    /// Notes that a read past NIO has emptied the socket. Returns true if a drain has ended.
    mutating func foundEmpty() -> Bool {
        readsInRow = 0
        guard ticksOfDrain != nil, wasAtPace, isAtPace, !isHeldBack, !wasHeldBack else { return false }
        ticksOfDrain = nil
        return true
    }

    // MARK: - Further reads

    /// The way to read on at once.
    enum Further {
        /// A read is scheduled already.
        case scheduled
        /// NIO reads, and checks the other sockets.
        case byNIO
        /// Read past NIO, after the event loop's other queued tasks. Then call ``readOn()``.
        case direct
    }

    /// Chooses the way to read on at once.
    mutating func further() -> Further {
        if isReadingOn { return .scheduled }
        guard direct != nil, readsInRow < Self.rowLimit else {
            readsInRow = 0
            return .byNIO
        }
        readsInRow += 1
        isReadingOn = true
        return .direct
    }

    /// Notes that the scheduled read begins.
    mutating func readOn() { isReadingOn = false }

    // MARK: - Holds

    /// Adds a reason not to read.
    mutating func hold(_ reason: SocketHolds) {
        holds.insert(reason)
        wasHeldBack = true
    }

    /// Removes a reason not to read. Returns true if it was the last one.
    mutating func release(_ reason: SocketHolds) -> Bool { holds.remove(reason) != nil && holds.isEmpty }

    /// Removes all reasons.
    mutating func releaseAll() { holds = [] }
}
