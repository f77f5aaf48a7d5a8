import Synchronization

/// Waits for something for so many seconds at the most. What takes longer goes on by itself, and is forgotten.
func within<Value: Sendable>(
    _ seconds: Double, _ what: String, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    return try await withCheckedThrowingContinuation { continuation in
        let once = Once(continuation)
        // Nobody's children: what hangs cannot be cancelled, and the self-test has to go on without it.
        Task {
            do { once.resume(.success(try await body())) } catch { once.resume(.failure(error)) }
        }
        Task {
            try? await Task.sleep(for: .seconds(seconds))
            once.resume(.failure(SelfTestError("\(what): not within \(seconds) seconds")))
        }
    }
}

/// A continuation that is resumed by whoever comes first.
private final class Once<Value: Sendable>: Sendable {
    private let continuation: Mutex<CheckedContinuation<Value, any Error>?>

    init(_ continuation: CheckedContinuation<Value, any Error>) { self.continuation = Mutex(continuation) }

    func resume(_ result: Result<Value, any Error>) {
        continuation.withLock { continuation in
            continuation?.resume(with: result)
            continuation = nil
        }
    }
}
