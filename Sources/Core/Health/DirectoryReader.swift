/// Reads files of one directory for clients of the server, on a few threads of that directory.
///
/// A directory that does not answer delays no file of another directory.
package struct DirectoryReader: Sendable {
    private let directory: StorageDirectory

    init(_ directory: StorageDirectory) { self.directory = directory }

    /// Runs a disk call and returns its result. If the directory does not answer,
    /// throws an error with the number `ETIMEDOUT`, at once or after a bounded wait.
    package func read<Result: Sendable>(_ body: @escaping @Sendable () throws(RecordingError) -> Result) async throws(RecordingError) -> Result {
        try await directory.read(body)
    }

    /// Runs a disk call without waiting for it.
    package func later(_ body: @escaping @Sendable () -> Void) { directory.readLater(body) }
}

extension Recorder {
    /// Returns the reader for files under a sink's own directory, as named in manifests.
    /// Nil means the recordings directory.
    package func reader(of root: String?) -> DirectoryReader {
        // A path that leads to the recordings directory has no directory of its own.
        DirectoryReader(root.flatMap(storage.directory) ?? storage.home)
    }
}
