public import Foundation
public import Logging
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Facts about a sink's call, and the means to make its files.
public struct SinkContext: Sendable {
    /// The recording's identifier, unique for ever.
    public let recordingID: RecordingID
    /// The carrier's facts about the call, such as the caller and the callee.
    public let call: CallFacts
    /// The time at which the call's audio began.
    public let startedAt: Date
    /// The shape of every chunk for this sink.
    public let format: AudioFormat
    /// The name of this configuration entry, unique among the sinks of the call.
    public let sinkName: String
    /// The directory of this call's files while the call runs. At the end, Callreel publishes them under other names.
    public let directory: String
    /// The beginning of the names of this sink's files, without the dot.
    public let fileStem: String
    /// A logger that carries the names of the call and the sink.
    public let logger: Logger

    /// The directory under which this sink's files are published; nil is the recordings directory.
    let root: String?
    private let mode: Int
    /// Refuses the directory if it must not be used.
    private let guardian: DirectoryGuardian
    private let created: CreatedFiles
    /// Called after a file was created.
    private let onCreate: @Sendable () -> Void

    /// Makes a context. The framework does this for each sink of a call; tests of a sink make their own.
    ///
    /// Files made through ``createFile(_:)`` get the permission bits of `fileMode`. `onCreate` is called after each.
    public init(
        recordingID: RecordingID, call: CallFacts, startedAt: Date, format: AudioFormat, sinkName: String,
        directory: String, fileStem: String, fileMode: Int = 0o640, logger: Logger,
        onCreate: @escaping @Sendable () -> Void = {}
    ) {
        self.init(
            recordingID: recordingID, call: call, startedAt: startedAt, format: format, sinkName: sinkName,
            directory: directory, root: nil,
            fileStem: fileStem, fileMode: fileMode, logger: logger, onCreate: onCreate)
    }

    /// Makes a context whose files are published under `root`; nil is the recordings directory.
    init(
        recordingID: RecordingID, call: CallFacts, startedAt: Date, format: AudioFormat, sinkName: String,
        directory: String, root: String?, fileStem: String, fileMode: Int, logger: Logger,
        guardian: DirectoryGuardian = DirectoryGuardian(),
        onCreate: @escaping @Sendable () -> Void
    ) {
        self.recordingID = recordingID
        self.call = call
        self.startedAt = startedAt
        self.format = format
        self.sinkName = sinkName
        self.directory = directory
        self.fileStem = fileStem
        self.logger = logger
        self.root = root
        mode = fileMode
        self.guardian = guardian
        created = CreatedFiles()
        self.onCreate = onCreate
    }

    /// Creates a new file for this sink, such as `createFile("wav")`.
    ///
    /// The file becomes part of the recording: Callreel hashes it, publishes it and lists it in the manifest, even if
    /// the sink fails later. An existing file is never opened.
    /// - Parameter suffix: follows the file stem and a dot: an extension, or a part number and an extension.
    public func createFile(_ suffix: String) throws(SinkError) -> OutputFile {
        guard !suffix.isEmpty, !suffix.contains("/"), !suffix.hasPrefix("."), suffix != "json",
            !suffix.hasPrefix("json.")
        else {
            throw SinkError(.open, "\"\(suffix)\" cannot be the ending of a sink's file", blame: .bug)
        }
        let file = try OutputFile(name: "\(fileStem).\(suffix)", directory: directory, mode: mode_t(mode))
        created.names.withLock { $0.append(file.name) }
        onCreate()
        return file
    }

    /// Creates a new file for this sink that begins with a text, such as the heading of a table.
    ///
    /// One step does both, since a noncopyable sink cannot fail in its `init` once it has its file.
    /// - Parameters:
    ///   - suffix: as in ``createFile(_:)``.
    ///   - text: the first text of the file, written as UTF-8.
    public func createFile(_ suffix: String, beginning text: String) throws(SinkError) -> OutputFile {
        let file = try createFile(suffix)
        try file.write(text)
        return file
    }

    /// Names of the files created by this sink so far, in order.
    public var createdFiles: [String] { created.names.withLock { $0 } }
}

extension SinkContext {
    /// Makes the directory if it is missing.
    func prepareDirectory() throws(SinkError) {
        if let refusal = guardian.refusal { throw SinkError(.open, refusal) }
        do {
            try FileSystem.makeDirectories(
                directory, below: guardian.root, mode: FileSystem.directoryMode(forFiles: mode))
        } catch {
            throw SinkError(.open, error.reason, underlying: error.underlying)
        }
    }

    /// Bytes in the sink's files now.
    var byteCount: Int { createdFiles.reduce(0) { $0 + (FileSystem.size(directory + "/" + $1) ?? 0) } }

    /// Returns the sink's files so far, with their frames if known. Each file begins at the end of the one before it.
    /// - Parameters:
    ///   - start: the first file's first frame in the call.
    ///   - call: the shape of the call's audio.
    func files(start: Int, call: AudioFormat, frames: (String) -> Int? = { _ in nil }) -> [CallFile] {
        var place = 0
        return createdFiles.map { name in
            let count = frames(name)
            defer { place += max(0, count ?? 0) }
            return CallFile(root: root, name: name, frames: count, start: start + call.frames(place, of: format))
        }
    }

    /// Removes the sink's empty files, as a full disk leaves them. Returns true if there were any.
    func dropEmptyFiles() -> Bool {
        created.names.withLock { names in
            let before = names.count
            names.removeAll { name in
                guard FileSystem.isEmptyFile(directory + "/" + name) else { return false }
                FileSystem.removeName(directory + "/" + name)
                return true
            }
            return names.count < before
        }
    }

    /// Removes an unrepairable file from the recording, and moves it to the directory for such files on the same disk.
    /// If the disk is too full for that, a file of at most 64 KiB is deleted. A larger one stays in the recording.
    func putAside(_ name: String) {
        let path = directory + "/" + name
        let place = RecordingStore.unrepairedDirectory(of: recordingID, in: directory.parentPath.parentPath)
        do throws(RecordingError) {
            _ = try FileSystem.moveAside(path, to: "\(place)/\(name)", fileMode: mode)
        } catch {
            guard let size = FileSystem.size(path), size <= Self.beginningSize else { return }
            FileSystem.removeName(path)
        }
        created.names.withLock { $0.removeAll { $0 == name } }
    }

    /// Size in bytes up to which a file counts as a mere beginning: 64 KiB.
    private static let beginningSize = 1 << 16

    /// Removes the sink's files and the directory, for a sink that was opened without a call.
    func removeFiles() {
        for name in createdFiles { FileSystem.removeName(directory + "/" + name) }
        FileSystem.removeEmptyDirectory(directory)
    }

    /// Syncs the files to stable storage, and their names too.
    func synchronizeFiles() throws(SinkError) {
        do {
            for name in createdFiles { try FileSystem.synchronize(directory + "/" + name) }
            try FileSystem.synchronizeDirectory(directory)
        } catch {
            throw SinkError(.checkpoint, error.reason, underlying: error.underlying)
        }
    }
}

/// Names of a sink's files, shared by the copies of its context.
private final class CreatedFiles: Sendable {
    let names = Mutex<[String]>([])
}

/// Keeps sinks out of a directory in which nothing can be recorded, before they touch it.
struct DirectoryGuardian: Sendable {
    private let directory: StorageDirectory?
    private let isLast: Bool

    /// Makes a guardian that refuses nothing.
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
    var refusal: String? { isLast ? directory?.refusal : directory?.problem }

    /// The directory above, which Callreel never makes again. It existed once, so if it is missing, its disk is not
    /// mounted.
    var root: String? { directory.flatMap { $0.isKnown ? "\($0.path)/\(RecordingStore.partialDirectoryName)" : nil } }
}
