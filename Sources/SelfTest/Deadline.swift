import Synchronization

/// Waits for the body's result for at most `seconds`, then throws. A slower body goes on, and its result is ignored.
func within<Value: Sendable>(
    _ seconds: Double, _ what: String, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    return try await withCheckedThrowingContinuation { continuation in
        let once = Once(continuation)
        // Unstructured tasks, because a hung body cannot be cancelled and the self-test has to go on without it.
        Task {
            do { once.resume(.success(try await body())) } catch { once.resume(.failure(error)) }
        }
        Task {
            try? await Task.sleep(for: .seconds(seconds))
            once.resume(.failure(SelfTestError("\(what): not within \(seconds) seconds")))
        }
    }
}

/// A continuation resumed by the first call alone.
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
