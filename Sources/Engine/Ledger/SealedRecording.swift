import CallreelCore

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
