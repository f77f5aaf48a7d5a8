import DequeModule
import Synchronization

/// The bounded queue between a call and one of its sinks.
///
/// The call pushes; the sink's worker takes; the heartbeat ticks. The call is told when there is no more room and
/// then stops reading its socket. A sink that stays full without progress is left behind: from then on what it misses
/// is counted as a gap, which it gets as silence when it moves again, so that its timeline stays the call's.
final class ChunkQueue: Sendable {
    /// What the worker does next.
    enum Item: Sendable {
        case chunk(PCMChunk)
        /// Write so many frames of silence, from this place on.
        case gap(frames: Int, start: FramePosition)
        case checkpoint
        /// The call is over and everything was taken.
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
        var waiter: Waiter?
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
        let (hasRoom, wake) = state.withLock { state -> (Bool, Wake?) in
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
                if let waiter = state.waiter {
                    state.waiter = nil
                    state.isDirty = true
                    state.lastProgress = .now
                    return (true, Wake(waiter, .chunk(chunk)))
                }
                if state.items.isEmpty { state.lastProgress = .now }
                state.items.append(.chunk(chunk))
                state.queuedFrames += chunk.frameCount
                // A call that waits already goes on waiting until room is announced, also when it pushes what it still has.
                if state.queuedFrames >= capacity { state.callIsWaiting = true }
                return (!state.callIsWaiting, nil)
            }
        }
        wake?()
        return hasRoom
    }

    /// Takes what comes next, waiting until there is something. Only the sink's worker calls this.
    func next() async -> Item {
        await unsafe withUnsafeContinuation { continuation in
            let waiter = unsafe Waiter(continuation)
            let now = ContinuousClock.now
            let (wake, room) = state.withLock { state -> (Wake?, Bool) in
                state.lastProgress = now
                if state.isDirty, now >= state.nextCheckpoint { return (Wake(waiter, takeCheckpoint(&state, now)), false) }
                guard let item = state.items.popFirst() else {
                    if state.mode == .closed { return (Wake(waiter, .end), false) }
                    state.waiter = waiter
                    return (nil, false)
                }
                if case .chunk(let chunk) = item { state.queuedFrames -= chunk.frameCount }
                // Half empty, so that the socket is not stopped and started with every chunk.
                let room = state.queuedFrames <= capacity / 2
                if room, state.mode == .stalled { state.mode = .open }
                let announce = room && state.callIsWaiting
                if announce { state.callIsWaiting = false }
                state.isDirty = true
                return (Wake(waiter, item), announce)
            }
            if room { onRoom() }
            wake?()
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
        let wake = state.withLock { state -> Wake? in
            guard state.mode != .failed else { return nil }
            state.mode = .closed
            state.lastProgress = .now
            defer { state.waiter = nil }
            return state.waiter.map { Wake($0, .end) }
        }
        wake?()
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
        let (pulse, wake) = state.withLock { state -> (Pulse, Wake?) in
            var pulse = Pulse()
            if state.mode == .open, state.callIsWaiting, now - state.lastProgress >= stallLimit {
                state.mode = .stalled
                state.callIsWaiting = false
                pulse.stalledNow = true
            }
            pulse.isLost = state.mode == .closed && now - state.lastProgress >= finishLimit
            if state.isDirty, now >= state.nextCheckpoint, let waiter = state.waiter {
                state.waiter = nil
                return (pulse, Wake(waiter, takeCheckpoint(&state, now)))
            }
            return (pulse, nil)
        }
        wake?()
        if pulse.stalledNow { onRoom() }
        return pulse
    }

    private func takeCheckpoint(_ state: inout State, _ now: ContinuousClock.Instant) -> Item {
        state.isDirty = false
        state.nextCheckpoint = now + checkpointInterval
        return .checkpoint
    }

    /// The worker that waits. It is woken once: whoever takes it out of the state does it, and nobody else can.
    ///
    /// A checked continuation would be an object more for every chunk.
    @safe private struct Waiter: Sendable {
        private let continuation: UnsafeContinuation<Item, Never>

        init(_ continuation: UnsafeContinuation<Item, Never>) { unsafe self.continuation = continuation }

        func wake(_ item: Item) { unsafe continuation.resume(returning: item) }
    }

    /// A worker to be woken once the lock is open again.
    private struct Wake {
        private let waiter: Waiter
        private let item: Item

        init(_ waiter: Waiter, _ item: Item) {
            self.waiter = waiter
            self.item = item
        }

        func callAsFunction() { waiter.wake(item) }
    }
}
