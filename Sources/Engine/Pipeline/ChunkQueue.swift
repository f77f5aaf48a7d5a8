import CallreelCore
import DequeModule
import Synchronization

/// The bounded queue between a call and one of its sinks.
///
/// The call pushes chunks, and the sink's worker takes them. The recorder's heartbeat ticks the queue to check time
/// limits. A worker that finds no item rests until the queue wakes it. When the queue is full, it tells the call, and
/// the call stops reading its socket.
///
/// A full sink stalls if it makes no progress, or holds the call back for longer than it may. From then on, the queue
/// counts its missed audio as a gap. When the sink moves again, it gets the gap as silence, so that its timeline stays
/// the call's.
final class ChunkQueue: Sendable {
    private enum Mode { case open, stalled, failed, closed }

    private struct State {
        var mode = Mode.open
        var items: Deque<Item> = []
        var queuedFrames = 0
        /// Frames that became silence because the queue was full.
        var droppedFrames = 0
        /// The dropped frames already reported.
        var reportedDrops = 0
        /// A push was answered with "no room", and no room was announced since.
        var callIsWaiting = false
        var meter: HoldMeter
        /// The seconds of waiting already reported.
        var reportedHold = 0.0
        /// Number of stalls so far.
        var stalls = 0
        /// The stall and the recovery to report at the next tick.
        var newStall: StallReason?
        var hasReturned = false
        var lastProgress: ContinuousClock.Instant
        var nextCheckpoint: ContinuousClock.Instant
        var isDirty = false
        /// The resting worker, to be woken for the next item.
        var resting: (any Consumer)?
        /// The reason why the call ended.
        var endReason = ""

        /// The call waits for the sink.
        var isHeld: Bool { mode == .open && callIsWaiting }
    }

    private let capacity: Int
    private let stallLimit: Duration
    private let checkpointInterval: Duration
    private let finishLimit: Duration
    /// This sink also takes audio that arrives while the recording is paused.
    private let recordsPaused: Bool
    /// Announces room after a push found none. Called from any thread.
    private let onRoom: @Sendable () -> Void
    private let clocks = Clocks.current
    private let state: Mutex<State>

    /// Makes an empty queue.
    /// - Parameter mayHold: true sets no hold limit: the call waits for as long as the sink makes progress. A call read
    ///   from a file can wait.
    init(envelope: SinkEnvelope, format: AudioFormat, mayHold: Bool = false, onRoom: @escaping @Sendable () -> Void) {
        capacity = format.frames(seconds: envelope.buffer)
        stallLimit = .seconds(envelope.stallLimit)
        // The clock is read only now and then, so a checkpoint is due a little early: the configured interval is the
        // most that may be at risk.
        checkpointInterval = .seconds(envelope.checkpoint) - min(Heartbeat.interval, .seconds(envelope.checkpoint / 4))
        finishLimit = .seconds(max(envelope.finishLimit, envelope.stallLimit))
        recordsPaused = envelope.onPause == .record
        self.onRoom = onRoom
        let now = clocks.now
        let meter = HoldMeter(limit: mayHold ? nil : envelope.holdLimit, format: format, now: now)
        state = Mutex(State(meter: meter, lastProgress: now, nextCheckpoint: now + checkpointInterval))
    }

    /// Frames dropped because the queue was full. They are, or will be, silence in this sink.
    var droppedFrames: Int { state.withLock { $0.droppedFrames } }

    /// Returns the frames dropped since the last call of this method.
    func takeNewDrops() -> Int {
        state.withLock { state in
            defer { state.reportedDrops = state.droppedFrames }
            return state.droppedFrames - state.reportedDrops
        }
    }

    /// Frames queued for the sink.
    var queuedFrames: Int { state.withLock { $0.queuedFrames } }

    /// The sink has stalled, and the queue drops its audio.
    var isStalled: Bool { state.withLock { $0.mode == .stalled } }

    /// The sink is at least a second behind, and holds the call back or has more than a quarter of its queue full.
    var isLagging: Bool {
        state.withLock {
            $0.mode == .open && $0.meter.debt >= 1 && ($0.callIsWaiting || $0.queuedFrames > capacity / 4)
        }
    }

    /// Seconds for which the call waited for the sink, and the number of stalls.
    var holds: (seconds: Double, stalls: Int) { state.withLock { ($0.meter.held, $0.stalls) } }

    /// Adds a chunk. Returns true if there is room for more. Never blocks and never fails.
    /// - Parameter now: the time; nil reads the clock if the queue becomes full.
    func push(_ chunk: PCMChunk, now: ContinuousClock.Instant? = nil) -> Bool {
        let (hasRoom, woken) = state.withLock { state -> (Bool, (any Consumer)?) in
            switch state.mode {
            case .failed, .closed:
                return (true, nil)
            case .stalled:
                drop(chunk, &state)
                return (true, nil)
            case .open:
                if state.items.isEmpty { state.lastProgress = clocks.now }
                state.items.append(.chunk(chunk))
                state.queuedFrames += chunk.frameCount
                // A resting worker takes the chunk at once, however long it is.
                if let resting = state.resting.take() { return (true, resting) }
                // A call that already waits must wait until room is announced, even if it pushes its remaining audio.
                if state.queuedFrames >= capacity, !state.callIsWaiting { fill(&state, now ?? clocks.now) }
                return (!state.callIsWaiting, nil)
            }
        }
        woken?.wake()
        return hasRoom
    }

    /// Handles a queue that has become full: the call waits for the sink, or the sink stalls if its hold limit is 0.
    private func fill(_ state: inout State, _ now: ContinuousClock.Instant) {
        state.meter.settle(now: now, isHeld: false)
        if state.meter.limit == 0 { leaveBehind(&state, .heldTooLong) } else { state.callIsWaiting = true }
    }

    /// Counts a chunk as part of a gap.
    private func drop(_ chunk: PCMChunk, _ state: inout State) {
        // Audio that a pause keeps out of the recording is no loss.
        if !chunk.isPaused || recordsPaused { state.droppedFrames += chunk.frameCount }
        if case .gap(let frames, let start, chunk.isPaused) = state.items.last {
            state.items[state.items.count - 1] = .gap(
                frames: frames + chunk.frameCount, start: start, isPaused: chunk.isPaused)
        } else {
            state.items.append(.gap(frames: chunk.frameCount, start: chunk.start, isPaused: chunk.isPaused))
        }
    }

    /// Adds an event behind the audio so far.
    ///
    /// A resting worker is not woken for it: the next audio wakes it, or the next tick. So an event costs no switch of
    /// threads.
    func push(_ event: CallEvent) {
        state.withLock { state in
            guard state.mode == .open || state.mode == .stalled else { return }
            if state.items.isEmpty { state.lastProgress = clocks.now }
            state.items.append(.event(event))
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

    /// Removes and returns the next item; nil if there is none now. Only the sink's worker calls this.
    /// - Parameter now: the time; nil reads the clock.
    func take(now: ContinuousClock.Instant? = nil) -> Item? {
        let now = now ?? clocks.now
        let (item, room) = state.withLock { state -> (Item?, Bool) in
            state.lastProgress = now
            if state.isDirty, now >= state.nextCheckpoint { return (takeCheckpoint(&state, now), false) }
            guard let item = state.items.popFirst() else {
                return (state.mode == .closed ? .end(reason: state.endReason) : nil, false)
            }
            switch item {
            case .checkpoint, .event, .end: return (item, false)
            case .chunk(let chunk):
                state.queuedFrames -= chunk.frameCount
                state.meter.take(chunk.frameCount)
            case .gap: break
            }
            // Announced when half empty, so that the socket is not stopped and started with every chunk.
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

    /// Parks the worker until an item arrives. Returns false, without parking, if one is queued or the queue is closed.
    func rest(_ consumer: any Consumer) -> Bool {
        state.withLock { state in
            guard state.items.isEmpty, state.mode != .closed else { return false }
            state.resting = consumer
            return true
        }
    }

    /// No more chunks will arrive.
    var isClosed: Bool { state.withLock { $0.mode == .closed } }

    /// Waits before a failed destination is tried again. Returns early when the call ends.
    func wait(seconds: Double) async {
        let end = clocks.now + .seconds(seconds)
        while !isClosed, clocks.now < end { try? await Task.sleep(for: min(.milliseconds(50), end - clocks.now)) }
    }

    /// Notes progress of the sink without a new item, as while it writes a long gap.
    /// - Parameter frames: frames of the gap written since the last note.
    func noteProgress(gapFrames frames: Int = 0) {
        state.withLock { state in
            state.lastProgress = clocks.now
            state.meter.take(frames)
        }
    }

    /// Closes the queue to further chunks. The worker still gets the queued items, and then the end.
    /// - Parameter reason: the reason why the call ended.
    func close(_ reason: String) {
        let woken = state.withLock { state -> (any Consumer)? in
            guard state.mode != .failed else { return nil }
            state.meter.settle(now: clocks.now, isHeld: state.isHeld)
            state.mode = .closed
            state.endReason = reason
            state.lastProgress = clocks.now
            return state.resting.take()
        }
        woken?.wake()
    }

    /// Marks the sink as failed. The queue discards queued and later audio, and the call no longer waits for the sink.
    func fail() {
        let room = state.withLock { state -> Bool in
            state.meter.settle(now: clocks.now, isHeld: state.isHeld)
            state.mode = .failed
            state.items.removeAll()
            state.queuedFrames = 0
            defer { state.callIsWaiting = false }
            return state.callIsWaiting
        }
        if room { onRoom() }
    }

    /// Checks the time limits. Wakes the worker for a due checkpoint, and stalls a sink that holds the call back
    /// without progress or for too long.
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
            let isDue = state.isDirty && now >= state.nextCheckpoint
            // Events wait for a worker that rests.
            guard isDue || !state.items.isEmpty, let resting = state.resting.take() else {
                return (pulse, hasRoom, nil)
            }
            if isDue { state.items.append(takeCheckpoint(&state, now)) }
            return (pulse, hasRoom, resting)
        }
        woken?.wake()
        if hasRoom { onRoom() }
        return pulse
    }

    /// Returns a checkpoint that is due, and schedules the next one.
    private func takeCheckpoint(_ state: inout State, _ now: ContinuousClock.Instant) -> Item {
        state.isDirty = false
        state.nextCheckpoint = now + checkpointInterval
        return .checkpoint
    }
}
