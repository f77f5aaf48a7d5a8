/// Reads files of one directory for clients of the server, on a few threads that the directory has for that.
///
/// A directory that does not answer holds up no file of another one.
package struct DirectoryReader: Sendable {
    private let directory: StorageDirectory

    init(_ directory: StorageDirectory) { self.directory = directory }

    /// Runs a disk call and waits for its result. Throws an error with the number `ETIMEDOUT`, without or after a bounded wait, where the
    /// directory does not answer.
    package func read<Result: Sendable>(_ body: @escaping @Sendable () throws(RecordingError) -> Result) async throws(RecordingError) -> Result {
        try await directory.read(body)
    }

    /// Runs a disk call without waiting for it.
    package func later(_ body: @escaping @Sendable () -> Void) { directory.readLater(body) }
}

extension Recorder {
    /// What reads files under a sink's own directory, as manifests name it; nil is the recordings directory.
    package func reader(of root: String?) -> DirectoryReader {
        // A path that leads to the recordings directory has none of its own.
        DirectoryReader(root.flatMap(storage.directory) ?? storage.home)
    }
}
