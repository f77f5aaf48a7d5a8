import CallreelCore
import Testing

/// Runs tests on threads of their own, below others in priority.
///
/// A test that only computes would otherwise keep a thread of the pool on which all other tests wait for their events.
/// On two cores, two such tests make the others miss their time.
struct OwnThreads: SuiteTrait, TestTrait, TestScoping {
    let isRecursive = true
    private static let executor = BlockingExecutor(name: "histories", threads: 2, threadLimit: 2, isBackground: true)

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(Self.executor) { try await function() }
    }
}

extension Trait where Self == OwnThreads {
    /// Runs the tests on threads of their own.
    static var ownThreads: Self { OwnThreads() }
}
