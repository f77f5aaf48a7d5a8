/// Names of the directories and files in a recordings directory.
package enum RecordingLayout {
    /// The directory of unfinished recordings, under the recordings directory.
    package static let partialDirectoryName = ".partial"

    /// Suffixes of a manifest's file name while it is replaced and published.
    package static let manifestEndings = ["", ".new", ".final", ".final.new"]

    /// Returns the directory of a running call's files.
    /// - Parameter root: the recordings directory, or a sink's own directory.
    package static func partialDirectory(of id: RecordingID, in root: String) -> String {
        "\(root)/\(partialDirectoryName)/\(id)"
    }

    /// Returns the directory for a call's files that cannot be repaired.
    /// - Parameter root: the directory in which they were to appear.
    package static func unrepairedDirectory(of id: RecordingID, in root: String) -> String {
        "\(root)/.callreel/unrepaired/\(id)"
    }

    /// Returns the directory of the recordings that still have to be delivered.
    /// - Parameter root: the recordings directory.
    package static func outbox(in root: String) -> String { "\(root)/.callreel/outbox" }

    /// Returns the path of a published file.
    /// - Parameter directory: the recordings directory.
    package static func path(_ file: Recording.File, in directory: String) -> String {
        (file.directory ?? directory) + "/" + file.name
    }
}
