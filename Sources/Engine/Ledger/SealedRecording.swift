import CallreelCore

/// A finished call with its files measured and on stable storage, under their names in the partial directories.
struct SealedRecording: Sendable {
    var ledger: CallLedger
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
    func manifest(as name: String) throws(DiskError) -> Recording {
        try ledger.manifest(as: name) { ledger.publishedName($0, as: name) }
    }

    /// Leaves out the files under a failed directory, and counts their audio as lost. The files stay in place.
    mutating func drop(_ root: String, _ error: DiskError) {
        isComplete = false
        files.removeAll { $0.root == root }
        for index in ledger.sinks.indices {
            let gone = ledger.sinks[index].files.filter { $0.directory == root }
            guard !gone.isEmpty else { continue }
            ledger.sinks[index].files.removeAll { $0.directory == root }
            ledger.sinks[index].fail(error)
            ledger.lose(gone.map { ($0.start?.frames, $0.frames ?? 0) }, of: index)
        }
    }
}
