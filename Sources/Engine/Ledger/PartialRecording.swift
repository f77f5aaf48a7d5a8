import CallreelCore

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

    /// The path of the ledger.
    var ledgerPath: String { "\(directory)/\(Self.ledgerName(name))" }

    /// Returns the file name of a running call's ledger.
    static func ledgerName(_ name: String) -> String { name.lastPathComponent + ".json" }

    /// True for the ledger, for its replacement, and for the manifest prepared for publication.
    func isLedger(_ file: String) -> Bool { RecordingLayout.manifestEndings.contains { file == "\(stem).json\($0)" } }

    /// Returns a file's name once the recording is published as `name`.
    func publishedName(_ file: String, as name: String) -> String {
        CallLedger.publishedName(file, of: self.name, partName: partName, as: name)
    }
}
