public import Foundation

/// A finished recording, as a delivery gets it. Its files are complete, and stay as they are.
public struct PublishedRecording: Sendable {
    /// A file of the recording.
    public struct File: Hashable, Sendable {
        /// The file's path.
        public var path: String
        /// The name of the sink that made it.
        public var sink: String
        /// The file's length.
        public var bytes: Int
        /// Frames in the file, in the sink's own format; nil if the sink does not state them.
        public var frames: Int?
        /// SHA-256 of the file's bytes, in hexadecimal.
        public var sha256: String

        /// Describes a file.
        public init(path: String, sink: String, bytes: Int, frames: Int? = nil, sha256: String) {
            self.path = path
            self.sink = sink
            self.bytes = bytes
            self.frames = frames
            self.sha256 = sha256
        }
    }

    /// The recording's identifier, unique for ever.
    public var id: RecordingID
    /// The recording's name: its path under the recordings directory, without an ending.
    public var name: String
    /// The path of the manifest.
    public var manifestPath: String
    /// The carrier's facts about the call. Do not trust them: they come from outside.
    public var call: CallFacts
    /// The time at which the call's audio began.
    public var startedAt: Date
    /// The length of the call in seconds.
    public var seconds: Double
    /// The files, in the order of the manifest.
    public var files: [File]
    /// The number of this attempt, from 1.
    public var attempt: Int

    /// Describes a recording. The framework does this; tests of a delivery make their own.
    public init(id: RecordingID, name: String, manifestPath: String, call: CallFacts, startedAt: Date) {
        self.id = id
        self.name = name
        self.manifestPath = manifestPath
        self.call = call
        self.startedAt = startedAt
        seconds = 0
        files = []
        attempt = 1
    }

    /// Describes a published recording.
    /// - Parameter directory: the recordings directory.
    package init(_ manifest: Recording, in directory: String, attempt: Int) {
        self.init(
            id: manifest.id, name: manifest.name, manifestPath: "\(directory)/\(manifest.name).json",
            call: manifest.call, startedAt: manifest.startedAt)
        seconds = manifest.seconds
        files = manifest.sinks.flatMap { sink in
            sink.files.map { file in
                File(
                    path: RecordingLayout.path(file, in: directory), sink: sink.name, bytes: file.bytes,
                    frames: file.frames, sha256: file.sha256)
            }
        }
        self.attempt = attempt
    }
}
