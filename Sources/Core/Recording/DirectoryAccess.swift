import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Runs disk calls in a sink's own directory on threads of that directory, and gives up on one that does not answer.
///
/// So a directory that hangs takes no thread from the recordings directory or from another sink. Without directories, as in
/// `callreel repair`, calls run where they are made.
struct DirectoryAccess: Sendable {
    /// Time after which a single call is given up.
    static let limit = Duration.seconds(30)

    private let find: @Sendable (String) -> StorageDirectory?

    /// Makes an access that runs everything where it is asked for.
    init() { find = { _ in nil } }

    /// Makes an access that runs calls on the threads of directories.
    /// - Parameter find: the directory for a sink's root.
    init(find: @escaping @Sendable (String) -> StorageDirectory?) { self.find = find }

    /// Why a sink's own directory does not answer, as far as that is known; nil where it does.
    func hang(of root: String) -> String? { find(root)?.hang }

    /// Runs a disk call and waits for it. Blocks, for a bounded time where the directory is a sink's own.
    /// - Parameters:
    ///   - root: the sink's own directory; nil is the recordings directory, for which the call runs here.
    ///   - undo: called with the result if it comes after this function has given up.
    func run<Result: Sendable>(
        in root: String?, undo: @escaping @Sendable (Result) -> Void = { _ in }, _ body: @escaping @Sendable () throws(RecordingError) -> Result
    ) throws(RecordingError) -> Result {
        guard let root, let directory = find(root) else { return try body() }
        if let problem = directory.hang { throw RecordingError(problem, underlying: ETIMEDOUT) }
        let call = DiskCall<Result>()
        // No child of ours: what hangs can be neither cancelled nor awaited. It ends with its disk, or with the process.
        Task(executorPreference: directory.threads) {
            do throws(RecordingError) {
                let result = try body()
                if !call.answer(.success(result)) { undo(result) }
            } catch {
                _ = call.answer(.failure(error))
            }
        }
        let result = call.wait(until: .now + Self.limit) { directory.hang != nil }
        guard let result else { throw RecordingError(directory.hang ?? "\(root) does not answer", underlying: ETIMEDOUT) }
        return try result.get()
    }
}

/// A disk call that runs on one thread while another waits for it.
private final class DiskCall<Value: Sendable>: @unchecked Sendable {
    // Unchecked: both variables are read and written only while `condition` is locked.
    private let condition = NSCondition()
    private var result: Result<Value, RecordingError>?
    private var isAbandoned = false

    /// Takes the result. Returns false if nothing waits for it any more.
    func answer(_ result: Result<Value, RecordingError>) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        self.result = result
        condition.signal()
        return !isAbandoned
    }

    /// Waits for the result, until a time or until `isHopeless` says so; then nil.
    func wait(until deadline: ContinuousClock.Instant, isHopeless: () -> Bool) -> Result<Value, RecordingError>? {
        condition.lock()
        defer { condition.unlock() }
        while result == nil {
            if .now >= deadline || isHopeless() {
                isAbandoned = true
                return nil
            }
            _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1))
        }
        return result
    }
}
