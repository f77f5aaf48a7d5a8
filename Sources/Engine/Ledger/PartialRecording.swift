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

    /// The path of the manifest so far.
    var manifestPath: String { "\(directory)/\(Self.manifestName(name))" }

    /// Returns the file name of a running call's manifest.
    static func manifestName(_ name: String) -> String { name.lastPathComponent + ".json" }

    /// True for the manifest and for the files that become the manifest.
    func isManifest(_ file: String) -> Bool { RecordingLayout.manifestEndings.contains { file == "\(stem).json\($0)" } }

    /// Returns a file's name once the recording is published as `name`.
    func publishedName(_ file: String, as name: String) -> String {
        CallLedger.publishedName(file, of: self.name, partName: partName, as: name)
    }
}
