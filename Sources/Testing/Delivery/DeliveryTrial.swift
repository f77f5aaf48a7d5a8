import CallreelCore

/// The end of an attempt.
enum DeliveryEnding: Sendable {
    case receipt(DeliveryReceipt)
    case error(DeliveryError)
    /// The attempt has not ended in the plan's time.
    case hanging
}

/// The time at which an attempt is cancelled.
enum DeliveryCancellation: CustomStringConvertible {
    case never
    case beforeItBegins
    /// So long after it has begun. By then, most attempts wait for their destination. One that does not meets the
    /// cancellation a little earlier in its work.
    case after(Duration)

    /// The cancellation of an attempt that waits for its destination.
    static let inTheMiddle = after(.milliseconds(300))

    var description: String {
        switch self {
        case .never: "not cancelled"
        case .beforeItBegins: "cancelled before it begins"
        case .after(let time): "cancelled after \(time)"
        }
    }
}

/// Runs code that may block, and that may never end.
enum DeliveryTrial {
    /// Threads for all checks. More than recordings at once in a check, so that those that hang leave some free.
    private static let threads = BlockingExecutor(name: "delivery contract", threads: 16)

    /// Runs code on threads that may block. Returns its result, or nil if it has not ended in time.
    /// - Parameter limit: the time for it, counted from its cancellation if there is one.
    static func run<Value: Sendable>(
        limit: Duration, cancelled: DeliveryCancellation = .never, _ body: @escaping @Sendable () async -> Value
    ) async -> Value? {
        let (results, continuation) = AsyncStream<Value>.makeStream()
        let begun = Bell()
        // Deliberately not a child task: code that blocks for ever can be neither cancelled nor awaited. It keeps its
        // thread.
        let work = Task(executorPreference: threads) {
            begun.ring()
            continuation.yield(await body())
        }
        switch cancelled {
        case .never: break
        case .beforeItBegins: work.cancel()
        case .after(let time):
            await begun.wait()
            try? await Task.sleep(for: time)
            work.cancel()
        }
        let result = await withTaskGroup(of: Value?.self) { group in
            group.addTask {
                for await result in results { return result }
                return nil
            }
            group.addTask {
                try? await Task.sleep(for: limit, clock: .suspending)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        if result == nil { work.cancel() }
        return result
    }

    /// Makes one attempt.
    static func attempt(
        _ delivery: some Delivery, _ recording: PublishedRecording, limit: Duration,
        cancelled: DeliveryCancellation = .never
    ) async -> DeliveryEnding {
        let ending = await run(limit: limit, cancelled: cancelled) { () -> DeliveryEnding in
            do throws(DeliveryError) { return .receipt(try await delivery.deliver(recording)) } catch {
                return .error(error)
            }
        }
        return ending ?? .hanging
    }
}
