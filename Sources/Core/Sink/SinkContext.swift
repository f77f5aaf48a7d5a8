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

/// What a sink reports through its context while it works. The recorder listens; so can a test of a sink.
public struct SinkObserver: Sendable {
    /// Called after a file was created.
    public var onCreate: @Sendable () -> Void = {}
    /// Called with each event of ``SinkContext/emit(type:at:data:)``.
    public var onEvent: @Sendable (_ type: String, _ frame: FramePosition, _ data: [String: JSONValue]) -> Void = {
        _, _, _ in
    }
    /// Called with each measurement.
    public var onMeasurement: @Sendable (SinkMeasurement) -> Void = { _ in }

    /// Makes an observer that ignores everything.
    public init() {}
}

/// A measurement by a sink, for the metrics of the program.
public enum SinkMeasurement: Hashable, Sendable {
    /// A counter grows by so much.
    case count(String, by: Int)
    /// A value is now so large.
    case value(String, Double)
    /// Something took so long.
    case time(String, Duration)
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

    /// The number of this instance in the call: 0, then 1 for the next part, or for one that goes on after a failure.
    public private(set) var part = 0
    /// The state that the instance of the part before left in its receipt. Nil in the first part and after a failure.
    public private(set) var carried: (any Sendable)?

    private let created = CreatedFiles()
    private let observer: SinkObserver

    /// The recording's identifier, unique for ever.
    public var recordingID: RecordingID { recording.id }
    /// The carrier's facts about the call, such as the caller and the callee.
    public var call: CallFacts { recording.call }
    /// The time at which the call's audio began.
    public var startedAt: Date { recording.startedAt }
    /// The channels of the sink's audio, in their order in a frame: the leg on each, and the party if it is known.
    public var channels: [SinkChannel] { SinkChannel.all(of: recording.call, count: format.channels) }
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
    ///   - observer: receives what the sink reports through the context.
    public init(
        recording: RecordingFacts, format: AudioFormat, sinkName: String, directory: SinkDirectory, logger: Logger,
        observer: SinkObserver = SinkObserver()
    ) {
        self.recording = recording
        self.format = format
        self.sinkName = sinkName
        self.place = directory
        self.logger = logger
        self.observer = observer
    }

    /// Returns the same context without files, for another part of the sink's output. The framework does this for each
    /// part of a call; tests of a sink that goes on in parts make their own.
    /// - Parameters:
    ///   - fileStem: the beginning of the names of the part's files.
    ///   - part: the number of the part, from 0.
    ///   - carried: the state that the part before has left in its receipt.
    public func next(fileStem: String, part: Int, carried: (any Sendable)?) -> SinkContext {
        var directory = place
        directory.fileStem = fileStem
        var context = SinkContext(
            recording: recording, format: format, sinkName: sinkName, directory: directory, logger: logger,
            observer: observer)
        context.part = part
        context.carried = carried
        return context
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
        observer.onCreate()
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
    /// Adds an event of this sink to the call's manifest, such as a detected word or the beginning of speech.
    ///
    /// The event stays even if the sink fails later, and if the program is killed more than a moment after this. It
    /// carries the name of the sink. The other sinks do not get it. Events beyond the limits are only counted: 4096
    /// bytes each, and for all sinks together half of what a recording may hold.
    ///
    /// A sink that gets the audio of pauses (`onPause` `record`) may learn there what must stay secret. Its events of a
    /// pause, and of a second after it, are only counted if their type or a member speaks of input, by a word such as
    /// `digit`, `dtmf`, `speech` or `transcript`.
    /// - Parameters:
    ///   - type: kind of event, such as `speech`.
    ///   - frame: position of the event, in the shape of this sink, such as the start of a chunk.
    ///   - data: facts for the manifest.
    public func emit(type: String, at frame: FramePosition, data: [String: JSONValue] = [:]) {
        observer.onEvent(type, frame, data)
    }

    /// Adds to a counter of this sink type in `/metrics`: `callreel_plugin_<type>_<name>_total`, with the entry's name
    /// as a label.
    ///
    /// Names are the author's: letters, digits and underscores. One entry may have 64 of them; more are ignored, so a
    /// name must not come from a call. The same holds for the other measurements.
    public func count(_ name: String, by amount: Int = 1) { observer.onMeasurement(.count(name, by: amount)) }

    /// Sets a value in `/metrics`: `callreel_plugin_<type>_<name>`.
    public func measure(_ name: String, _ value: Double) { observer.onMeasurement(.value(name, value)) }

    /// Adds a duration to a histogram in `/metrics`: `callreel_plugin_<type>_<name>_seconds`.
    public func measure(_ name: String, _ duration: Duration) { observer.onMeasurement(.time(name, duration)) }

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
