import Foundation
import Synchronization

/// Finds out which sinks' own directories answer, for the recovery of calls that have files there.
///
/// Each is asked on a thread of its own, and not again while it owes an answer: one that hangs costs one thread, however often recovery runs.
final class RootWatch: Sendable {
    private struct State {
        var questions: [String: DiskQuestion<Void>] = [:]
        /// The calls whose recovery hangs, with what comes back when it goes on, and the directory that holds it up.
        var left: [RecordingID: (recovery: DiskQuestion<Recovery.Finding?>, problem: String)] = [:]
    }

    /// Directories that may owe an answer at once. Further ones count as directories that do not answer: a damaged manifest may name any number.
    private static let limit = 256

    private let look: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// Makes a watch that asks a directory by a call that returns if the directory answers.
    init(look: @escaping @Sendable (String) -> Void) { self.look = look }

    /// Looks at a directory and lists what unfinished calls have there: a system may know the directory itself by heart. May never return.
    static func look(_ root: String) {
        _ = try? FileStatus(root)
        _ = try? FileSystem.list(root + "/" + RecordingStore.partialDirectoryName)
    }

    /// Forgets what was answered and asks directories, unless they still owe an answer. Does not wait.
    func begin(_ roots: Set<String>) {
        state.withLock { $0.questions = $0.questions.filter { !$0.value.isAnswered } }
        ask(roots)
    }

    /// Asks directories again, unless they still owe an answer. Does not wait.
    func ask(_ roots: Set<String>) {
        state.withLock { state in
            for root in roots.sorted() where state.questions[root]?.isAnswered ?? (state.questions.count < Self.limit) {
                state.questions[root] = DiskQuestion { [look] in look(root) }
            }
        }
    }

    /// Returns a directory that owes an answer at a time, or nil where there is none. Blocks until then.
    func silent(of roots: Set<String>, at deadline: ContinuousClock.Instant) -> String? {
        let questions = state.withLock { $0.questions }
        return roots.sorted().first { questions[$0]?.answer(by: deadline) == nil }
    }

    /// Keeps that the recovery of a call hangs.
    func leave(_ id: RecordingID, _ recovery: DiskQuestion<Recovery.Finding?>, _ problem: String) {
        state.withLock { $0.left[id] = (recovery, problem) }
    }

    /// Why the recovery of a call still hangs; nil where it does not.
    func hang(of id: RecordingID) -> String? {
        state.withLock { state in
            guard let left = state.left[id] else { return nil }
            if !left.recovery.isAnswered { return left.problem }
            state.left[id] = nil
            return nil
        }
    }

    /// Whether the recovery of some call hangs.
    var isHeldUp: Bool { state.withLock { $0.left.values.contains { !$0.recovery.isAnswered } } }
}
