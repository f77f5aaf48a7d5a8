import Synchronization

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

extension ChunkQueue {
    /// Takes the next item, and waits until there is one.
    func next() async -> Item {
        while true {
            if let item = take() { return item }
            await withCheckedContinuation { continuation in
                if !rest(Sleeper(continuation)) { continuation.resume() }
            }
        }
    }
}

extension ChunkQueue.Pulse {
    var stalledNow: Bool { stall != nil }
}

/// A task that sleeps until its queue wakes it.
private final class Sleeper: ChunkQueue.Consumer {
    private let continuation: CheckedContinuation<Void, Never>

    init(_ continuation: CheckedContinuation<Void, Never>) { self.continuation = continuation }

    func wake() { continuation.resume() }
}
