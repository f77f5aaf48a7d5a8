import DequeModule
import Synchronization

/// The bounded queue between a call and one of its sinks.
///
/// The call pushes; the sink's worker takes, rests when there is nothing, and is woken; the heartbeat ticks. The call is told when
/// there is no more room and then stops reading its socket. A sink that stays full without progress is left behind: from then on what it misses
/// is counted as a gap, which it gets as silence when it moves again, so that its timeline stays the call's.
final class ChunkQueue: Sendable {
    /// Who takes from a queue.
    protocol Consumer: AnyObject, Sendable {
        /// There is something to take. Called once after each ``ChunkQueue/rest(_:)`` that returned true, from any thread; it must not block.
        func wake()
    }

    /// What the worker does next.
    enum Item: Sendable {
        case chunk(PCMChunk)
        /// Write so many frames of silence, from this place on.
        case gap(frames: Int, start: FramePosition)
        case checkpoint
        /// The call is over and everything was taken. This is taken as often as it is asked for.
        case end
    }

    /// What a tick found.
    struct Pulse {
        /// The sink was left behind just now, so there is room again.
        var stalledNow = false
        /// The call is over and the sink has shown no progress for longer than it is given.
        var isLost = false
    }

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
        var lastProgress: ContinuousClock.Instant
        var nextCheckpoint: ContinuousClock.Instant
        var isDirty = false
        /// Who rests, and is to be woken when there is something to take.
        var resting: (any Consumer)?
    }

    private let capacity: Int
    private let stallLimit: Duration
    private let checkpointInterval: Duration
    private let finishLimit: Duration
    /// Called when there is room again after a push was told that there is none. It may come from any thread.
    private let onRoom: @Sendable () -> Void
    private let state: Mutex<State>

    /// Makes an empty queue.
    init(envelope: SinkEnvelope, format: AudioFormat, onRoom: @escaping @Sendable () -> Void) {
        capacity = format.frames(seconds: envelope.buffer)
        stallLimit = .seconds(envelope.stallLimit)
        // Clocks are looked at now and then, so a checkpoint is due a little early: what was asked for is the most that may be at risk.
        checkpointInterval = .seconds(envelope.checkpoint) - min(Recorder.heartbeat, .seconds(envelope.checkpoint / 4))
        finishLimit = .seconds(max(envelope.finishLimit, envelope.stallLimit))
        self.onRoom = onRoom
        let now = ContinuousClock.now
        state = Mutex(State(lastProgress: now, nextCheckpoint: now + checkpointInterval))
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

    /// Adds a chunk. Never blocks, never fails; says whether there is room for more.
    func push(_ chunk: PCMChunk) -> Bool {
        let (hasRoom, woken) = state.withLock { state -> (Bool, (any Consumer)?) in
            switch state.mode {
            case .failed, .closed:
                return (true, nil)
            case .stalled:
                state.droppedFrames += chunk.frameCount
                if case .gap(let frames, let start) = state.items.last {
                    state.items[state.items.count - 1] = .gap(frames: frames + chunk.frameCount, start: start)
                } else {
                    state.items.append(.gap(frames: chunk.frameCount, start: chunk.start))
                }
                return (true, nil)
            case .open:
                if state.items.isEmpty { state.lastProgress = .now }
                state.items.append(.chunk(chunk))
                state.queuedFrames += chunk.frameCount
                // Whoever rests takes it at once, however long it is.
                if let resting = state.resting.take() { return (true, resting) }
                // A call that waits already goes on waiting until room is announced, also when it pushes what it still has.
                if state.queuedFrames >= capacity { state.callIsWaiting = true }
                return (!state.callIsWaiting, nil)
            }
        }
        woken?.wake()
        return hasRoom
    }

    /// Takes what comes next, if there is something now. Only the sink's worker calls this.
    func take() -> Item? {
        let now = ContinuousClock.now
        let (item, room) = state.withLock { state -> (Item?, Bool) in
            state.lastProgress = now
            if state.isDirty, now >= state.nextCheckpoint { return (takeCheckpoint(&state, now), false) }
            guard let item = state.items.popFirst() else { return (state.mode == .closed ? .end : nil, false) }
            if case .checkpoint = item { return (item, false) }
            if case .chunk(let chunk) = item { state.queuedFrames -= chunk.frameCount }
            // Half empty, so that the socket is not stopped and started with every chunk.
            let room = state.queuedFrames <= capacity / 2
            if room, state.mode == .stalled { state.mode = .open }
            let announce = room && state.callIsWaiting
            if announce { state.callIsWaiting = false }
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

    /// The sink has moved, though it does not ask for more yet: it is writing a long gap.
    func noteProgress() { state.withLock { $0.lastProgress = .now } }

    /// No more chunks will come; the worker gets what is left and then the end.
    func close() {
        let woken = state.withLock { state -> (any Consumer)? in
            guard state.mode != .failed else { return nil }
            state.mode = .closed
            state.lastProgress = .now
            return state.resting.take()
        }
        woken?.wake()
    }

    /// The sink has failed: what is queued and what comes is lost to it, and holds up nobody.
    func fail() {
        let room = state.withLock { state -> Bool in
            state.mode = .failed
            state.items.removeAll()
            state.queuedFrames = 0
            defer { state.callIsWaiting = false }
            return state.callIsWaiting
        }
        if room { onRoom() }
    }

    /// Looks at the clock: wakes the worker for a due checkpoint, and gives up waiting for a sink that does not move.
    func tick(now: ContinuousClock.Instant) -> Pulse {
        let (pulse, woken) = state.withLock { state -> (Pulse, (any Consumer)?) in
            var pulse = Pulse()
            if state.mode == .open, state.callIsWaiting, now - state.lastProgress >= stallLimit {
                state.mode = .stalled
                state.callIsWaiting = false
                pulse.stalledNow = true
            }
            pulse.isLost = state.mode == .closed && now - state.lastProgress >= finishLimit
            guard state.isDirty, now >= state.nextCheckpoint, let resting = state.resting.take() else { return (pulse, nil) }
            state.items.append(takeCheckpoint(&state, now))
            return (pulse, resting)
        }
        woken?.wake()
        if pulse.stalledNow { onRoom() }
        return pulse
    }

    /// A checkpoint that is due.
    private func takeCheckpoint(_ state: inout State, _ now: ContinuousClock.Instant) -> Item {
        state.isDirty = false
        state.nextCheckpoint = now + checkpointInterval
        return .checkpoint
    }
}
