import Foundation

/// A file of a call that is not published: its name, and the directory under which it grows and will appear.
struct CallFile: Hashable, Sendable {
    /// The directory, as an absolute path; nil is the recordings directory.
    var root: String?
    /// The name in the call's partial directory there.
    var name: String
    /// Frames in it, where they are known.
    var frames: Int?
    /// The frame of the call at which it begins; nil where that is not known.
    var start: Int?

    /// The same file, without what is known of it.
    var place: CallFile { CallFile(root: root, name: name) }
}

/// A finished call whose files are on stable storage and measured, under the names that they have in the partial directories.
struct SealedRecording: Sendable {
    var manifest: Recording
    /// The directories, besides the recordings directory, in which the call has partial directories.
    var roots: Set<String> = []
    /// The files to publish.
    var files: [CallFile] = []
    /// Files without a frame of audio, which are not published.
    var empty: [CallFile] = []
    /// Whether these are all of the call's files.
    var isComplete = true
    /// Files that could not be synced or read. They stay where they are: a second sync may report success without having the data.
    var broken: [CallFile] = []

    /// The manifest to publish under a name.
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

    /// Leaves out what stands under a directory that failed: it stays where it is.
    mutating func drop(_ root: String, _ error: RecordingError) {
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
    /// The directories, besides the recordings directory, where files of this running call may stand.
    var roots: Set<String> { Set(sinks.flatMap { $0.directories ?? [] }) }

    /// Counts as lost what files of a sink hold that will not be published: of each, where it begins on the call's timeline, if that
    /// is known, and its frames. When no file is left, all is lost.
    mutating func lose(_ files: [(start: Int?, frames: Int)], of index: Int) {
        let shape = sinks[index].format ?? format
        let lengths = files.map { format.frames(max(0, $0.frames), of: shape) }
        if sinks[index].files.isEmpty {
            sinks[index].lose(FrameRanges([0..<max(0, framesReceived)]), received: framesReceived)
        } else if sinks[index].ranges != nil, files.allSatisfy({ $0.start != nil }) {
            let stretches = zip(files, lengths).map { file, length in (file.start ?? 0)..<(file.start ?? 0) + length }
            sinks[index].lose(FrameRanges(stretches), received: framesReceived)
        } else {
            // A file of an older program's call: how much is known, but not where.
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
    /// Counts stretches of the call as lost that were in files. What was skipped stays skipped.
    mutating func lose(_ stretches: FrameRanges, received: Int) {
        var account = ranges ?? Recording.Ranges()
        let outside = (account.lost ?? FrameRanges()).union(account.skipped ?? FrameRanges())
        let held = FrameRanges([0..<max(0, received)]).subtracting(outside).subtracting(stretches)
        account.silence = account.silence?.within(held)
        account.masked = account.masked?.within(held)
        account.lost = FrameRanges([0..<max(0, received)]).subtracting(held).subtracting(account.skipped ?? FrameRanges())
        let written = held.frames - (account.silence?.frames ?? 0) - (account.masked?.frames ?? 0)
        take(SinkAccount.Tally(written: written, ranges: account))
    }

    /// The sink has failed, because of its files; an earlier reason stands.
    mutating func fail(_ reason: RecordingError) {
        state = .failed
        error = error ?? reason.description
        blame = blame ?? .destination
    }
}

/// The place of a running call's files, held by this program as long as the value lives.
struct PartialRecording: Sendable {
    let id: RecordingID
    /// The name that the recording shall have, relative to the recordings directory.
    let name: String
    /// What its files shall be called instead, where the number of their part stands for `{part}`; nil is the name.
    let partName: String?
    /// Where the files stand.
    let directory: String
    /// Says to other programs that the call is running.
    let lock: DirectoryLock

    /// Where the files of a running call stand.
    static func directory(of id: RecordingID, in store: String) -> String { "\(store)/\(RecordingStore.partialDirectoryName)/\(id)" }

    /// The beginning of every file's name.
    var stem: String { name.lastPathComponent }

    /// The manifest so far.
    var manifestPath: String { "\(directory)/\(Self.manifestName(name))" }

    /// What the manifest of a running call is called.
    static func manifestName(_ name: String) -> String { name.lastPathComponent + ".json" }

    /// Whether a file is the manifest, or on its way to become it.
    func isManifest(_ file: String) -> Bool { RecordingStore.manifestEndings.contains { file == "\(stem).json\($0)" } }

    /// What a file is called once it is published.
    func publishedName(_ file: String, as name: String) -> String {
        Recording.publishedName(file, of: self.name, partName: partName, as: name)
    }
}
