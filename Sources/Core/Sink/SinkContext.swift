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

/// What a sink is told about its call, and the place where it may make files.
public struct SinkContext: Sendable {
    /// The recording's identifier, unique for ever.
    public let recordingID: RecordingID
    /// Who called whom, as far as the carrier said.
    public let call: CallFacts
    /// When the call's audio began.
    public let startedAt: Date
    /// The shape of every chunk that will be written.
    public let format: AudioFormat
    /// The name of this configuration entry, unique among the sinks of the call.
    public let sinkName: String
    /// The directory where files of this call stand while it runs. They are published under other names at the end.
    public let directory: String
    /// The beginning of the names of this sink's files, without the dot.
    public let fileStem: String
    /// A logger that carries the call's and the sink's name.
    public let logger: Logger

    /// The directory under which this sink's files appear at the end; nil is the recordings directory.
    let root: String?
    private let mode: Int
    /// Says if the directory may be used.
    private let guardian: DirectoryGuardian
    private let created: CreatedFiles
    /// Told after a file was created.
    private let onCreate: @Sendable () -> Void

    /// Makes a context. The framework does this for each sink of a call; tests of a sink do it for themselves.
    ///
    /// Files made through ``createFile(_:)`` get the permission bits of `fileMode`; `onCreate` is called after each of them was made.
    public init(
        recordingID: RecordingID, call: CallFacts, startedAt: Date, format: AudioFormat, sinkName: String,
        directory: String, fileStem: String, fileMode: Int = 0o640, logger: Logger, onCreate: @escaping @Sendable () -> Void = {}
    ) {
        self.init(
            recordingID: recordingID, call: call, startedAt: startedAt, format: format, sinkName: sinkName, directory: directory, root: nil,
            fileStem: fileStem, fileMode: fileMode, logger: logger, onCreate: onCreate)
    }

    /// Makes a context whose files appear under a directory that may be another than the recordings directory.
    init(
        recordingID: RecordingID, call: CallFacts, startedAt: Date, format: AudioFormat, sinkName: String,
        directory: String, root: String?, fileStem: String, fileMode: Int, logger: Logger, guardian: DirectoryGuardian = DirectoryGuardian(),
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
    /// The file becomes part of the recording: it is hashed, published and listed in the manifest, also when the
    /// sink fails later. An existing file is never opened.
    /// - Parameter suffix: what follows the file stem and a dot: an extension, or a part number and an extension.
    public func createFile(_ suffix: String) throws(SinkError) -> OutputFile {
        guard !suffix.isEmpty, !suffix.contains("/"), !suffix.hasPrefix("."), suffix != "json", !suffix.hasPrefix("json.") else {
            throw SinkError(.open, "\"\(suffix)\" cannot be the ending of a sink's file", blame: .bug)
        }
        let file = try OutputFile(name: "\(fileStem).\(suffix)", directory: directory, mode: mode_t(mode))
        created.names.withLock { $0.append(file.name) }
        onCreate()
        return file
    }

    /// Creates a new file for this sink that begins with a text, such as the heading of a table.
    ///
    /// In one step, since a sink that is not copyable cannot fail in its `init` once it has its file.
    /// - Parameters:
    ///   - suffix: as in ``createFile(_:)``.
    ///   - text: what stands first, in UTF-8.
    public func createFile(_ suffix: String, beginning text: String) throws(SinkError) -> OutputFile {
        let file = try createFile(suffix)
        try file.write(text)
        return file
    }

    /// The names of the files that this sink has created so far, in order.
    public var createdFiles: [String] { created.names.withLock { $0 } }
}

extension SinkContext {
    /// Makes the directory where it is missing.
    func prepareDirectory() throws(SinkError) {
        if let refusal = guardian.refusal { throw SinkError(.open, refusal) }
        do {
            try FileSystem.makeDirectories(directory, below: guardian.root, mode: FileSystem.directoryMode(forFiles: mode))
        } catch {
            throw SinkError(.open, error.reason, underlying: error.underlying)
        }
    }

    /// Bytes in the sink's files now.
    var byteCount: Int { createdFiles.reduce(0) { $0 + (FileSystem.size(directory + "/" + $1) ?? 0) } }

    /// The sink's files so far, with their frames where they are known. Each begins where the one before it ends.
    /// - Parameters:
    ///   - start: the frame of the call at which the first of them begins.
    ///   - call: the shape of the call's audio.
    func files(start: Int, call: AudioFormat, frames: (String) -> Int? = { _ in nil }) -> [CallFile] {
        var place = 0
        return createdFiles.map { name in
            let count = frames(name)
            defer { place += max(0, count ?? 0) }
            return CallFile(root: root, name: name, frames: count, start: start + call.frames(place, of: format))
        }
    }

    /// Removes the sink's files that hold nothing at all, as a full disk leaves them, and says whether there were any.
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

    /// Takes a file that cannot be repaired out of the recording: it moves to the place for those, beside the recordings on the same disk.
    /// Where the disk is too full for that, a file with hardly more than a beginning is removed, and another one stays in the recording.
    func putAside(_ name: String) {
        let path = directory + "/" + name
        let place = "\(directory.parentPath.parentPath)/\(RecordingStore.unrepairedDirectory)/\(recordingID)"
        do throws(RecordingError) {
            try FileSystem.makeDirectories(place, mode: FileSystem.directoryMode(forFiles: mode))
            try FileSystem.move(path, to: "\(place)/\(name)")
        } catch {
            guard let size = FileSystem.size(path), size <= Self.beginningSize else { return }
            FileSystem.removeName(path)
        }
        created.names.withLock { $0.removeAll { $0 == name } }
    }

    /// Bytes of a file up to which it counts as a beginning.
    private static let beginningSize = 1 << 16

    /// Removes the sink's files and the directory, when nobody will want them: the sink was opened without a call.
    func removeFiles() {
        for name in createdFiles { FileSystem.removeName(directory + "/" + name) }
        FileSystem.removeEmptyDirectory(directory)
    }

    /// Returns when what the files hold now is on stable storage, and so are their names.
    func synchronizeFiles() throws(SinkError) {
        do {
            for name in createdFiles { try FileSystem.synchronize(directory + "/" + name) }
            try FileSystem.synchronizeDirectory(directory)
        } catch {
            throw SinkError(.checkpoint, error.reason, underlying: error.underlying)
        }
    }
}

/// The names of a sink's files, shared by the copies of its context.
private final class CreatedFiles: Sendable {
    let names = Mutex<[String]>([])
}

/// Keeps sinks out of a directory in which nothing can be recorded, before they touch it.
struct DirectoryGuardian: Sendable {
    private let directory: StorageDirectory?
    private let isLast: Bool

    /// Makes a guardian that lets everything pass.
    init() {
        directory = nil
        isLast = true
    }

    /// Makes the guardian of a directory.
    /// - Parameter isLast: whether the sink has no other place to go to. Then it is kept out only where trying would do harm.
    init(_ directory: StorageDirectory, isLast: Bool) {
        self.directory = directory
        self.isLast = isLast
    }

    /// Why the directory cannot be used, if that is so.
    var refusal: String? { isLast ? directory?.refusal : directory?.problem }

    /// The directory above that is not made any more: it was there once, so that its disk is not mounted where it is missing.
    var root: String? { directory.flatMap { $0.isKnown ? "\($0.path)/\(RecordingStore.partialDirectoryName)" : nil } }
}
