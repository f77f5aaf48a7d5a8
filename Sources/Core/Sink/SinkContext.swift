public import Foundation
public import Logging
import Synchronization

/// The recording of which a sink holds the audio.
public struct RecordingFacts: Sendable {
    /// The recording's identifier, unique for ever.
    public var id: RecordingID
    /// The carrier's facts about the call, such as the caller and the callee.
    public var call: CallFacts
    /// The time at which the call's audio began.
    public var startedAt: Date

    /// Makes the facts of a recording.
    public init(id: RecordingID, call: CallFacts, startedAt: Date) {
        self.id = id
        self.call = call
        self.startedAt = startedAt
    }
}

/// The place for a sink's files while the call runs.
public struct SinkDirectory: Sendable {
    /// The directory of the call's files.
    public var path: String
    /// The beginning of the names of the sink's files, without the dot.
    public var fileStem: String
    /// The permission bits of the files.
    public var fileMode: Int
    /// The directory under which the files are published; nil is the recordings directory.
    package var root: String?

    /// Makes a place whose files are published under the recordings directory.
    public init(path: String, fileStem: String, fileMode: Int = 0o640) {
        self.path = path
        self.fileStem = fileStem
        self.fileMode = fileMode
    }
}

/// Facts about a sink's call, and the means to make its files.
public struct SinkContext: Sendable {
    private let recording: RecordingFacts
    private let place: SinkDirectory
    /// The shape of every chunk for this sink.
    public let format: AudioFormat
    /// The name of this configuration entry, unique among the sinks of the call.
    public let sinkName: String
    /// A logger that carries the names of the call and the sink.
    public let logger: Logger

    private let created = CreatedFiles()
    /// Called after a file was created.
    private let onCreate: @Sendable () -> Void

    /// The recording's identifier, unique for ever.
    public var recordingID: RecordingID { recording.id }
    /// The carrier's facts about the call, such as the caller and the callee.
    public var call: CallFacts { recording.call }
    /// The time at which the call's audio began.
    public var startedAt: Date { recording.startedAt }
    /// The directory of this call's files while the call runs. At the end, Callreel publishes them under other names.
    public var directory: String { place.path }
    /// The beginning of the names of this sink's files, without the dot.
    public var fileStem: String { place.fileStem }

    /// The directory under which this sink's files are published; nil is the recordings directory.
    package var root: String? { place.root }
    /// The permission bits of this sink's files.
    package var fileMode: Int { place.fileMode }

    /// Makes a context. The framework does this for each sink of a call; tests of a sink make their own.
    /// - Parameters:
    ///   - recording: the recording of the call.
    ///   - format: the shape of every chunk for this sink.
    ///   - sinkName: the name of the sink's configuration entry.
    ///   - directory: the place for the sink's files.
    ///   - logger: the logger for messages about the call.
    ///   - onCreate: called after each file made through ``createFile(_:)``.
    public init(
        recording: RecordingFacts, format: AudioFormat, sinkName: String, directory: SinkDirectory, logger: Logger,
        onCreate: @escaping @Sendable () -> Void = {}
    ) {
        self.recording = recording
        self.format = format
        self.sinkName = sinkName
        self.place = directory
        self.logger = logger
        self.onCreate = onCreate
    }

    /// Returns the same context without files, for another part of the sink's output.
    package func with(fileStem: String) -> SinkContext {
        var directory = place
        directory.fileStem = fileStem
        return SinkContext(
            recording: recording, format: format, sinkName: sinkName, directory: directory, logger: logger,
            onCreate: onCreate)
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
            throw SinkError(.open, "\"\(suffix)\" is not allowed as the suffix of a sink's file", blame: .bug)
        }
        let file = try OutputFile(name: "\(fileStem).\(suffix)", directory: directory, mode: fileMode)
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
    /// Takes files out of the list of created files. They are no part of the recording any more.
    /// - Parameter isGone: receives each name, and returns true for a file to take out.
    /// - Returns: true if there was any.
    @discardableResult
    package func forgetFiles(where isGone: (String) -> Bool) -> Bool {
        created.names.withLock { names in
            let before = names.count
            names.removeAll(where: isGone)
            return names.count < before
        }
    }
}

/// Names of a sink's files, shared by the copies of its context.
private final class CreatedFiles: Sendable {
    let names = Mutex<[String]>([])
}
