import CallreelCore

/// Keeps sinks out of a directory in which nothing can be recorded, before they touch it.
struct DirectoryGuardian: Sendable {
    private let directory: StorageDirectory?
    private let isLast: Bool

    /// Makes a guardian that refuses nothing. For tests.
    init() {
        directory = nil
        isLast = true
    }

    /// Makes the guardian of a directory.
    /// - Parameter isLast: true if the sink has no other place. It is then refused only if an attempt would do harm.
    init(_ directory: StorageDirectory, isLast: Bool) {
        self.directory = directory
        self.isLast = isLast
    }

    /// The reason why the directory cannot be used; nil if it can.
    private var refusal: String? { isLast ? directory?.refusal : directory?.problem }

    /// Makes the directory of a sink's files if it is missing.
    func prepare(_ context: SinkContext) throws(SinkError) {
        if let refusal { throw SinkError(.open, refusal) }
        do throws(DiskError) {
            try FileSystem.makeDirectories(
                context.directory, below: directory?.root, mode: FileSystem.directoryMode(forFiles: context.fileMode))
        } catch {
            throw SinkError(.open, error)
        }
    }
}
