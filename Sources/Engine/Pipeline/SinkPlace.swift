import CallreelCore
import Synchronization

/// A directory in which one sink of one call may write its files, part after part.
final class SinkPlace: Sendable {
    /// The context of the first part. It has no files.
    private let first: SinkContext
    /// Keeps the sink out of the directory if it must not be used.
    let guardian: DirectoryGuardian
    /// The parts so far, with the frame at which each begins. The next part replaces a last part without a file.
    private let parts = Mutex<[(context: SinkContext, start: Int)]>([])

    /// The directory of the call's files in this place, for messages.
    var directory: String { first.directory }

    /// Describes a place. Nothing is created on the disk yet.
    /// - Parameter first: the context of the first part.
    init(_ first: SinkContext, guardian: DirectoryGuardian) {
        self.first = first
        self.guardian = guardian
    }

    /// Returns the context of the next part, which begins at a frame of the call. If the last part made no file, its
    /// number is used again.
    /// - Parameters:
    ///   - number: the number of the instance in the call.
    ///   - carried: the state that the part before left.
    func nextPart(start: Int, number: Int, carried: (any Sendable)?) -> SinkContext {
        parts.withLock { parts in
            if let last = parts.last, last.context.createdFiles.isEmpty { parts.removeLast() }
            let stem = PartName.stem(first.fileStem, part: parts.count + 1)
            let context = first.next(fileStem: stem, part: number, carried: carried)
            parts.append((context, start))
            return context
        }
    }

    /// All files made here so far. Their frame counts are unknown, and all files of one part begin together.
    var files: [CallFile] {
        parts.withLock { $0 }.flatMap { part in
            part.context.createdFiles.map { CallFile(root: part.context.root, name: $0, start: part.start) }
        }
    }
}
