import CallreelCore
import Foundation
import Synchronization

/// Finds out which sinks' own directories answer, for the recovery of calls with files there.
///
/// Each directory is asked on a thread of its own, and not asked again until it has answered.
/// A hanging directory therefore costs one thread, however often recovery runs.
final class RootWatch: Sendable {
    private struct State {
        var questions: [String: DiskQuestion<Void>] = [:]
        /// The calls whose recovery hangs. `recovery` returns when the recovery continues;
        /// `problem` names the directory that holds it up.
        var left: [RecordingID: (recovery: DiskQuestion<Recovery.Finding?>, problem: String)] = [:]
    }

    /// Largest number of directories asked at once. Further ones count as hanging,
    /// because a damaged ledger may name any number.
    private static let limit = 256

    /// Default time limit for a directory to answer. After that, calls with files there wait.
    static let answerLimit = Duration.seconds(5)

    /// Time limit for a directory to answer.
    let answerLimit: Duration
    private let look: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// Makes a watch.
    /// - Parameter look: a disk call that returns only if the directory answers.
    init(
        answerLimit: Duration = RootWatch.answerLimit, look: @escaping @Sendable (String) -> Void = RootWatch.look
    ) {
        self.answerLimit = answerLimit
        self.look = look
    }

    /// Examines a directory and lists its unfinished calls, because a system may have the directory itself cached.
    /// May never return.
    static func look(_ root: String) {
        _ = try? FileStatus(root)
        _ = try? FileSystem.list(root + "/" + RecordingLayout.partialDirectoryName)
    }

    /// Forgets earlier answers and asks directories, except for those still owing an answer. Does not wait.
    func begin(_ roots: Set<String>) {
        state.withLock { $0.questions = $0.questions.filter { !$0.value.isAnswered } }
        ask(roots)
    }

    /// Asks directories again, except for those still owing an answer. Does not wait.
    func ask(_ roots: Set<String>) {
        state.withLock { state in
            for root in roots.sorted() where state.questions[root]?.isAnswered ?? (state.questions.count < Self.limit) {
                state.questions[root] = DiskQuestion { [look] in look(root) }
            }
        }
    }

    /// Returns a directory that has not answered by the deadline, or nil if all have. Blocks until then.
    func silent(of roots: Set<String>, at deadline: ContinuousClock.Instant) -> String? {
        let questions = state.withLock { $0.questions }
        return roots.sorted().first { questions[$0]?.answer(by: deadline) == nil }
    }

    /// Records that the recovery of a call hangs.
    func leave(_ id: RecordingID, _ recovery: DiskQuestion<Recovery.Finding?>, _ problem: String) {
        state.withLock { $0.left[id] = (recovery, problem) }
    }

    /// Returns the reason why the recovery of a call hangs; nil if it does not.
    func hang(of id: RecordingID) -> String? {
        state.withLock { state in
            guard let left = state.left[id] else { return nil }
            if !left.recovery.isAnswered { return left.problem }
            state.left[id] = nil
            return nil
        }
    }

    /// The recovery of at least one call hangs.
    var isHeldUp: Bool { state.withLock { $0.left.values.contains { !$0.recovery.isAnswered } } }
}
