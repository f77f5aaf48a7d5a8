import CallreelCore
import Foundation

/// A file of an unpublished call: its name, and the directory under which it grows and will be published.
struct CallFile: Hashable, Sendable {
    /// The directory as an absolute path; nil for the recordings directory.
    var root: String?
    /// The name in the call's partial directory there.
    var name: String
    /// Frames in the file; nil if unknown.
    var frames: Int?
    /// The frame of the call at which the file begins; nil if unknown.
    var start: Int?

    /// The same file without its frames and start.
    var place: CallFile { CallFile(root: root, name: name) }
}

/// A finished call with its files measured and on stable storage, under their names in the partial directories.
struct SealedRecording: Sendable {
    var manifest: Recording
    /// Directories, besides the recordings directory, with a partial directory of the call.
    var roots: Set<String> = []
    /// The files to publish.
    var files: [CallFile] = []
    /// Files without a frame of audio. They are not published.
    var empty: [CallFile] = []
    /// True when these are all of the call's files.
    var isComplete = true
    /// Files that could not be synced or read. They stay in place:
    /// a second sync may report success without having the data.
    var broken: [CallFile] = []

    /// Returns the manifest to publish under a name.
    func manifest(as name: String, from partial: PartialRecording) -> Recording {
        var final = manifest
        final.name = name
        final.partName = nil
        final.owner = nil
        final.boot = nil
        for sink in final.sinks.indices {
            for file in final.sinks[sink].files.indices {
                final.sinks[sink].files[file].name = partial.publishedName(final.sinks[sink].files[file].name, as: name)
            }
        }
        return final
    }

    /// Leaves out the files under a failed directory, and counts their audio as lost. The files stay in place.
    mutating func drop(_ root: String, _ error: DiskError) {
        isComplete = false
        files.removeAll { $0.root == root }
        for index in manifest.sinks.indices {
            let gone = manifest.sinks[index].files.filter { $0.directory == root }
            guard !gone.isEmpty else { continue }
            manifest.sinks[index].files.removeAll { $0.directory == root }
            manifest.sinks[index].fail(error)
            manifest.lose(gone.map { ($0.start?.frames, $0.frames ?? 0) }, of: index)
        }
    }
}

extension Recording {
    /// Counts the audio of a sink's unpublished files as lost. If the sink has no file left, the whole call is lost.
    /// - Parameter files: each file's first frame on the call's timeline, if known,
    ///   and its frames in the sink's own format.
    mutating func lose(_ files: [(start: Int?, frames: Int)], of index: Int) {
        let shape = sinks[index].format ?? format
        let lengths = files.map { format.frames(max(0, $0.frames), of: shape) }
        if sinks[index].files.isEmpty {
            sinks[index].lose(FrameRanges([0..<max(0, framesReceived)]), received: framesReceived)
        } else if sinks[index].ranges != nil, files.allSatisfy({ $0.start != nil }) {
            let stretches = zip(files, lengths).map { file, length in (file.start ?? 0)..<(file.start ?? 0) + length }
            sinks[index].lose(FrameRanges(stretches), received: framesReceived)
        } else {
            // In a call of an older program, the length of a lost file is known, but not its place.
            let gone = lengths.reduce(0, +), audio = min(gone, sinks[index].written)
            sinks[index].ranges = nil
            sinks[index].written -= audio
            sinks[index].silence -= min(gone - audio, sinks[index].silence)
            sinks[index].lost = 0
            sinks[index].lost = framesReceived - sinks[index].accounted
        }
    }
}

extension Recording.Sink {
    /// Counts ranges of the call as lost that were in files. Skipped frames stay skipped.
    mutating func lose(_ stretches: FrameRanges, received: Int) {
        var account = ranges ?? Recording.Ranges()
        let outside = (account.lost ?? FrameRanges()).union(account.skipped ?? FrameRanges())
        let held = FrameRanges([0..<max(0, received)]).subtracting(outside).subtracting(stretches)
        account.silence = account.silence?.within(held)
        account.masked = account.masked?.within(held)
        account.lost = FrameRanges([0..<max(0, received)]).subtracting(held).subtracting(
            account.skipped ?? FrameRanges())
        let written = held.frames - (account.silence?.frames ?? 0) - (account.masked?.frames ?? 0)
        take(SinkAccount.Tally(written: written, ranges: account))
    }

    /// Marks the sink as failed because of its files. An earlier reason stays.
    mutating func fail(_ reason: DiskError) {
        state = .failed
        error = error ?? reason.description
        blame = blame ?? .destination
    }
}

/// The directory of a running call's files. This program holds its lock as long as the value lives.
struct PartialRecording: Sendable {
    let id: RecordingID
    /// The wanted name of the recording, relative to the recordings directory.
    let name: String
    /// The name of the files, with `{part}` in place of the part number; nil if the files use ``name``.
    let partName: String?
    /// The directory of the files.
    let directory: String
    /// Shows other programs that the call is running.
    let lock: DirectoryLock

    /// The beginning of every file's name.
    var stem: String { name.lastPathComponent }

    /// The path of the manifest so far.
    var manifestPath: String { "\(directory)/\(Self.manifestName(name))" }

    /// Returns the file name of a running call's manifest.
    static func manifestName(_ name: String) -> String { name.lastPathComponent + ".json" }

    /// True for the manifest and for the files that become the manifest.
    func isManifest(_ file: String) -> Bool { RecordingLayout.manifestEndings.contains { file == "\(stem).json\($0)" } }

    /// Returns a file's name once the recording is published as `name`.
    func publishedName(_ file: String, as name: String) -> String {
        Recording.publishedName(file, of: self.name, partName: partName, as: name)
    }
}
