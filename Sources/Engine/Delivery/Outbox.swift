import CallreelCore
import Foundation

/// The recordings that still have to be delivered, as a directory for each.
///
/// The manifests alone decide what is to be delivered. The outbox only makes it visible, keeps the number of attempts,
/// and lets a server go on at its start before it has read the whole archive. If it is lost, the scan of the archive
/// makes it again. So nothing here is synced. A directory is also the lock by which servers with the same recordings
/// directory agree on who delivers.
struct Outbox: Sendable {
    /// The content of a directory's file.
    struct Note: Codable, Sendable {
        /// The attempts of one delivery so far.
        struct Attempts: Codable, Sendable {
            var attempts: Int
            /// The reason why the last attempt failed.
            var error: String
            var at: Date
        }

        /// The recording's name.
        var recording: String
        /// The failed attempts, by the name of the delivery.
        var deliveries: [String: Attempts] = [:]
    }

    /// The most bytes of a note. A longer file is not ours.
    private static let limit = 1 << 20
    private static let file = "note.json"

    let store: RecordingStore

    private var directory: String { RecordingLayout.outbox(in: store.directory) }

    /// The directory of a recording.
    func place(_ id: RecordingID) -> String { "\(directory)/\(id)" }

    /// The recordings in the outbox, with their notes. Blocks.
    var all: [(id: RecordingID, note: Note)] {
        FileSystem.names(in: directory).compactMap { name in
            guard let id = RecordingID(name), let note = note(id),
                (try? ManifestError.demand(path: note.recording, "recording")) != nil
            else { return nil }
            return (id, note)
        }
    }

    /// Reads a recording's note; nil if there is none, or none that can be read. Blocks.
    func note(_ id: RecordingID) -> Note? {
        let path = place(id) + "/" + Self.file
        guard let size = FileSystem.size(path), size <= Self.limit, let data = try? FileSystem.contents(path) else {
            return nil
        }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try? decoder.decode(Note.self, from: data)
    }

    /// Makes a recording's directory, if it is missing. Blocks.
    func open(_ id: RecordingID) throws(DiskError) {
        let mode = FileSystem.directoryMode(forFiles: store.fileMode)
        try FileSystem.makeDirectories(place(id), below: store.directory, mode: mode)
    }

    /// Writes a recording's note. Blocks.
    func write(_ note: Note, _ id: RecordingID) throws(DiskError) {
        try open(id)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        guard let data = try? encoder.encode(note) else { throw DiskError("cannot encode a note of the outbox") }
        let path = place(id) + "/" + Self.file
        try FileSystem.replace(path, with: data, mode: store.fileMode, through: path + ".new")
    }

    /// Removes the second names of a delivery's files, which the manifest names now. Blocks.
    func dropStaged(_ id: RecordingID, of delivery: String) {
        for name in FileSystem.names(in: place(id)) where name.hasPrefix(delivery + ".") {
            FileSystem.removeName(place(id) + "/" + name)
        }
    }

    /// Removes a recording, because everything was delivered or the recording was deleted. Blocks.
    func remove(_ id: RecordingID) { FileSystem.removeTree(place(id)) }

    /// Puts a file beside a recording, durably, under a name that nothing has. Blocks.
    ///
    /// Until the manifest names the file, it has a second name here. By it, a later attempt knows the file that one
    /// before it left, and replaces it.
    /// - Returns: the file's entry in the manifest.
    func attach(
        _ attachment: DeliveryReceipt.Attachment, of delivery: String, to recording: Recording
    ) throws(DiskError) -> DeliveryEntry.File {
        let name = "\(recording.name).\(delivery).\(attachment.suffix)", target = "\(store.directory)/\(name)"
        let staged = "\(place(recording.id))/\(delivery).\(attachment.suffix)"
        if FileSystem.isSameFile(staged, target) { FileSystem.removeName(target) }
        try FileSystem.replace(
            staged, with: Data(attachment.content), mode: store.fileMode, through: staged + ".new")
        guard try FileSystem.link(staged, as: target) else {
            throw DiskError("there is a file \(target) already", underlying: EEXIST)
        }
        try FileSystem.synchronizeDirectory(target.parentPath)
        let measured = try FileSystem.measure(target)
        return DeliveryEntry.File(name: name, bytes: measured.bytes, sha256: measured.sha256)
    }
}
