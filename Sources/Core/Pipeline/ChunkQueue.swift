import DequeModule
import Synchronization

/// The bounded queue between a call and one of its sinks.
///
/// The call pushes; the sink's worker takes, rests when there is nothing, and is woken; the heartbeat ticks. The call is told when
/// there is no more room and then stops reading its socket. A full sink that makes no progress, or holds the call back for longer
/// than it may, is left behind: from then on what it misses is counted as a gap. It gets the gap as silence when it moves again,
/// so that its timeline stays the call's.
final class ChunkQueue: Sendable {
    private enum Mode { case open, stalled, failed, closed }

    private struct State {
        var mode = Mode.open
        var items: Deque<Item> = []
        var queuedFrames = 0
        /// Frames that became silence because there was no room.
        var droppedFrames = 0
        /// How many of them were reported already.
        var reportedDrops = 0
        /// Whether a push was answered with "no room" and room was not announced since.
        var callIsWaiting = false
        var meter: HoldMeter
        /// Seconds of waiting that were reported already.
        var reportedHold = 0.0
        /// How often the sink was left behind.
        var stalls = 0
        /// What the next tick reports.
        var newStall: StallReason?
        var hasReturned = false
        var lastProgress: ContinuousClock.Instant
        var nextCheckpoint: ContinuousClock.Instant
        var isDirty = false
        /// Who rests, and is to be woken when there is something to take.
        var resting: (any Consumer)?

        /// Whether the call waits for the sink.
        var isHeld: Bool { mode == .open && callIsWaiting }
    }

    private let capacity: Int
    private let stallLimit: Duration
    private let checkpointInterval: Duration
    private let finishLimit: Duration
    /// Whether audio that comes while the recording is paused is for this sink too.
    private let recordsPaused: Bool
    /// Called when there is room again after a push was told that there is none. It may come from any thread.
    private let onRoom: @Sendable () -> Void
    private let state: Mutex<State>

    /// Makes an empty queue.
    /// - Parameter mayHold: whether the call waits for the sink as long as the sink makes progress, as a file can that is read.
    init(envelope: SinkEnvelope, format: AudioFormat, mayHold: Bool = false, onRoom: @escaping @Sendable () -> Void) {
        capacity = format.frames(seconds: envelope.buffer)
        stallLimit = .seconds(envelope.stallLimit)
        // Clocks are looked at now and then, so a checkpoint is due a little early: what was asked for is the most that may be at risk.
        checkpointInterval = .seconds(envelope.checkpoint) - min(Recorder.heartbeat, .seconds(envelope.checkpoint / 4))
        finishLimit = .seconds(max(envelope.finishLimit, envelope.stallLimit))
        recordsPaused = envelope.onPause == .record
        self.onRoom = onRoom
        let now = ContinuousClock.now
        let meter = HoldMeter(limit: mayHold ? nil : envelope.holdLimit, format: format, now: now)
        state = Mutex(State(meter: meter, lastProgress: now, nextCheckpoint: now + checkpointInterval))
    }

    /// Frames that were dropped for want of room and are, or will be, silence in this sink.
    var droppedFrames: Int { state.withLock { $0.droppedFrames } }

    /// Frames that were dropped since the last time that this was asked.
    func takeNewDrops() -> Int {
        state.withLock { state in
            defer { state.reportedDrops = state.droppedFrames }
            return state.droppedFrames - state.reportedDrops
        }
    }

    /// Frames that wait for the sink.
    var queuedFrames: Int { state.withLock { $0.queuedFrames } }

    /// Whether the sink is behind and its audio is being dropped.
    var isStalled: Bool { state.withLock { $0.mode == .stalled } }

    /// Whether the sink is slower than the call and holds it back, or is a second behind because it did.
    var isLagging: Bool {
        state.withLock { $0.mode == .open && $0.meter.debt >= 1 && ($0.callIsWaiting || $0.queuedFrames > capacity / 4) }
    }

    /// How long the call waited for the sink, in seconds, and how often the sink was left behind.
    var holds: (seconds: Double, stalls: Int) { state.withLock { ($0.meter.held, $0.stalls) } }

    /// Adds a chunk. Never blocks, never fails; says whether there is room for more.
    /// - Parameter now: the time; nil looks at the clock where it matters.
    func push(_ chunk: PCMChunk, now: ContinuousClock.Instant? = nil) -> Bool {
        let (hasRoom, woken) = state.withLock { state -> (Bool, (any Consumer)?) in
            switch state.mode {
            case .failed, .closed:
                return (true, nil)
            case .stalled:
                drop(chunk, &state)
                return (true, nil)
            case .open:
                if state.items.isEmpty { state.lastProgress = .now }
                state.items.append(.chunk(chunk))
                state.queuedFrames += chunk.frameCount
                // Whoever rests takes it at once, however long it is.
                if let resting = state.resting.take() { return (true, resting) }
                // A call that waits already goes on waiting until room is announced, also when it pushes what it still has.
                if state.queuedFrames >= capacity, !state.callIsWaiting { fill(&state, now ?? .now) }
                return (!state.callIsWaiting, nil)
            }
        }
        woken?.wake()
        return hasRoom
    }

    /// The queue is full just now: the call waits for the sink, or leaves it behind at once.
    private func fill(_ state: inout State, _ now: ContinuousClock.Instant) {
        state.meter.settle(now: now, isHeld: false)
        if state.meter.limit == 0 { leaveBehind(&state, .heldTooLong) } else { state.callIsWaiting = true }
    }

    /// Counts a chunk that the sink misses.
    private func drop(_ chunk: PCMChunk, _ state: inout State) {
        // What is not recorded because of a pause is no loss.
        if !chunk.isPaused || recordsPaused { state.droppedFrames += chunk.frameCount }
        if case .gap(let frames, let start, chunk.isPaused) = state.items.last {
            state.items[state.items.count - 1] = .gap(frames: frames + chunk.frameCount, start: start, isPaused: chunk.isPaused)
        } else {
            state.items.append(.gap(frames: chunk.frameCount, start: chunk.start, isPaused: chunk.isPaused))
        }
    }

    private func leaveBehind(_ state: inout State, _ reason: StallReason) {
        state.mode = .stalled
        state.callIsWaiting = false
        state.stalls += 1
        state.newStall = reason
        state.hasReturned = false
        state.meter.leaveBehind()
    }

    /// Takes what comes next, if there is something now. Only the sink's worker calls this.
    func take(now: ContinuousClock.Instant = .now) -> Item? {
        let (item, room) = state.withLock { state -> (Item?, Bool) in
            state.lastProgress = now
            if state.isDirty, now >= state.nextCheckpoint { return (takeCheckpoint(&state, now), false) }
            guard let item = state.items.popFirst() else { return (state.mode == .closed ? .end : nil, false) }
            if case .checkpoint = item { return (item, false) }
            if case .chunk(let chunk) = item {
                state.queuedFrames -= chunk.frameCount
                state.meter.take(chunk.frameCount)
            }
            // Half empty, so that the socket is not stopped and started with every chunk.
            let room = state.queuedFrames <= capacity / 2
            if room, state.mode == .stalled {
                state.mode = .open
                state.hasReturned = true
            }
            let announce = room && state.callIsWaiting
            if announce {
                state.meter.settle(now: now, isHeld: state.isHeld)
                state.callIsWaiting = false
            }
            state.isDirty = true
            return (item, announce)
        }
        if room { onRoom() }
        return item
    }

    /// Lets the worker rest until it is woken; false when there is something to take, so that it may not.
    func rest(_ consumer: any Consumer) -> Bool {
        state.withLock { state in
            guard state.items.isEmpty, state.mode != .closed else { return false }
            state.resting = consumer
            return true
        }
    }

    /// Whether no more chunks will come.
    var isClosed: Bool { state.withLock { $0.mode == .closed } }

    /// Waits for the sake of a destination that may be better then, but not beyond the end of the call.
    func wait(seconds: Double) async {
        let end = ContinuousClock.now + .seconds(seconds)
        while !isClosed, ContinuousClock.now < end { try? await Task.sleep(for: min(.milliseconds(50), end - .now)) }
    }

    /// The sink has moved, though it does not ask for more yet: it is writing a long gap, of which it has written so many frames.
    func noteProgress(gapFrames frames: Int = 0) {
        state.withLock { state in
            state.lastProgress = .now
            state.meter.take(frames)
        }
    }

    /// No more chunks will come; the worker gets what is left and then the end.
    func close() {
        let woken = state.withLock { state -> (any Consumer)? in
            guard state.mode != .failed else { return nil }
            state.meter.settle(now: .now, isHeld: state.isHeld)
            state.mode = .closed
            state.lastProgress = .now
            return state.resting.take()
        }
        woken?.wake()
    }

    /// The sink has failed: what is queued and what comes is lost to it, and holds up nobody.
    func fail() {
        let room = state.withLock { state -> Bool in
            state.meter.settle(now: .now, isHeld: state.isHeld)
            state.mode = .failed
            state.items.removeAll()
            state.queuedFrames = 0
            defer { state.callIsWaiting = false }
            return state.callIsWaiting
        }
        if room { onRoom() }
    }

    /// Looks at the clock: wakes the worker for a due checkpoint, and gives up waiting for a sink that does not move, or not fast enough.
    func tick(now: ContinuousClock.Instant) -> Pulse {
        let (pulse, hasRoom, woken) = state.withLock { state -> (Pulse, Bool, (any Consumer)?) in
            var pulse = Pulse(), hasRoom = false
            state.meter.settle(now: now, isHeld: state.isHeld)
            if state.isHeld {
                let stall: StallReason? =
                    now - state.lastProgress >= stallLimit ? .noProgress : state.meter.isExceeded ? .heldTooLong : nil
                if let stall {
                    leaveBehind(&state, stall)
                    hasRoom = true
                }
            }
            pulse.stall = state.newStall.take()
            swap(&pulse.hasReturned, &state.hasReturned)
            pulse.held = state.meter.held - state.reportedHold
            state.reportedHold = state.meter.held
            pulse.isLost = state.mode == .closed && now - state.lastProgress >= finishLimit
            guard state.isDirty, now >= state.nextCheckpoint, let resting = state.resting.take() else { return (pulse, hasRoom, nil) }
            state.items.append(takeCheckpoint(&state, now))
            return (pulse, hasRoom, resting)
        }
        woken?.wake()
        if hasRoom { onRoom() }
        return pulse
    }

    /// A checkpoint that is due.
    private func takeCheckpoint(_ state: inout State, _ now: ContinuousClock.Instant) -> Item {
        state.isDirty = false
        state.nextCheckpoint = now + checkpointInterval
        return .checkpoint
    }
}
