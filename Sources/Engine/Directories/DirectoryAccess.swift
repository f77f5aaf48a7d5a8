import CallreelCore
import Foundation

/// Runs disk calls in a sink's own directory on that directory's threads, with a time limit.
///
/// A hanging directory therefore takes no thread from the recordings directory or from another sink.
/// Without directories, as in `callreel repair`, calls run on the calling thread.
struct DirectoryAccess: Sendable {
    /// Time limit for a single call.
    static let limit = Duration.seconds(30)

    private let find: @Sendable (String) -> StorageDirectory?

    /// Makes an access that runs every call on the calling thread.
    init() { find = { _ in nil } }

    /// Makes an access that runs calls on the threads of their directories.
    /// - Parameter find: returns the directory for a sink's root.
    init(find: @escaping @Sendable (String) -> StorageDirectory?) { self.find = find }

    /// Returns a message if a sink's own directory is known to hang, otherwise nil.
    func hang(of root: String) -> String? { find(root)?.hang }

    /// Runs a disk call and returns its result. Blocks, in a sink's own directory for ``limit`` at most.
    /// - Parameters:
    ///   - root: the sink's own directory. Nil is the recordings directory: its calls run on the calling thread.
    ///   - undo: called with a result that arrives after this function has given up.
    /// - Throws: the call's error, or `ETIMEDOUT` if the directory does not answer.
    func run<Result: Sendable>(
        in root: String?, undo: @escaping @Sendable (Result) -> Void = { _ in },
        _ body: @escaping @Sendable () throws(DiskError) -> Result
    ) throws(DiskError) -> Result {
        guard let root, let directory = find(root) else { return try body() }
        if let problem = directory.hang { throw DiskError(problem, underlying: ETIMEDOUT) }
        let call = DiskAnswer<Swift.Result<Result, DiskError>>()
        // Not a child task: a hanging disk call can be neither cancelled nor awaited.
        // It ends with its disk or with the process.
        Task(executorPreference: directory.threads) {
            do throws(DiskError) {
                let result = try body()
                if !call.give(.success(result)) { undo(result) }
            } catch {
                call.give(.failure(error))
            }
        }
        let result = call.wait(until: Clocks.current.now + Self.limit, abandons: true) { directory.hang != nil }
        guard let result else {
            throw DiskError(directory.hang ?? "\(root) does not answer", underlying: ETIMEDOUT)
        }
        return try result.get()
    }
}
