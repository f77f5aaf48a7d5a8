import CallreelCore
import Foundation

/// The recordings that still have to be delivered, as a directory for each recording and delivery.
///
/// The manifests alone decide what is to be delivered. The outbox only makes it visible, keeps the number of attempts,
/// and lets a server go on at its start before it has read the whole archive. If it is lost, the scan of the archive
/// makes it again. A directory is also the lock by which servers with the same recordings directory agree on who
/// delivers.
struct Outbox: Sendable {
    /// A delivery of one recording.
    struct Key: Hashable, Sendable {
        let id: RecordingID
        /// The name of the delivery's entry.
        let delivery: String
    }

    /// What a directory's file says of the failed attempts so far.
    struct Note: Codable, Sendable {
        /// The recording's name.
        var recording: String
        var attempts = 0
        /// The reason why the last attempt failed.
        var error: String?
        var at: Date?
    }

    /// The most bytes of a note. A longer file is not ours.
    private static let limit = 1 << 20
    /// The most attempts that a note may state.
    private static let attemptLimit = 1_000_000
    private static let file = "note.json"
    /// The directory of attachments that the manifest does not name yet.
    private static let staging = "attachments"

    let store: RecordingStore

    private var directory: String { RecordingLayout.outbox(in: store.directory) }

    /// The directory of a delivery.
    func place(_ key: Key) -> String { "\(directory)/\(key.id)/\(key.delivery)" }

    /// Everything in the outbox, with the notes. Blocks.
    var all: [(key: Key, note: Note)] {
        FileSystem.names(in: directory).flatMap { name -> [(Key, Note)] in
            guard let id = RecordingID(name) else { return [] }
            return FileSystem.names(in: "\(directory)/\(name)").compactMap { delivery in
                let key = Key(id: id, delivery: delivery)
                return note(key).map { (key, $0) }
            }
        }
    }

    /// Reads a note; nil if there is none, or none that can be read. Blocks.
    func note(_ key: Key) -> Note? {
        let path = place(key) + "/" + Self.file
        guard let status = try? FileStatus(path, followsLinks: false), status.kind == .file, status.bytes <= Self.limit,
            let data = try? FileSystem.contents(path)
        else { return nil }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard var note = try? decoder.decode(Note.self, from: data),
            (try? ManifestError.demand(path: note.recording, "recording")) != nil
        else { return nil }
        // Anybody may have edited it.
        note.attempts = min(max(0, note.attempts), Self.attemptLimit)
        return note
    }

    /// Makes the directory, if it is missing. Blocks.
    func open(_ key: Key) throws(DiskError) {
        let mode = FileSystem.directoryMode(forFiles: store.fileMode)
        try FileSystem.makeDirectories(place(key), below: store.directory, mode: mode)
    }

    /// Writes a note. Blocks.
    func write(_ note: Note, _ key: Key) throws(DiskError) {
        try open(key)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        guard let data = try? encoder.encode(note) else { throw DiskError("cannot encode a note of the outbox") }
        let path = place(key) + "/" + Self.file
        try FileSystem.replace(path, with: data, mode: store.fileMode, through: path + ".new", durably: false)
    }

    /// Puts a file beside a recording, durably, under a name that nothing has. Blocks.
    ///
    /// Until the manifest names the file, it has a second name here. By it, a later attempt knows the file that one
    /// before it left, and replaces it.
    /// - Returns: the file's entry in the manifest.
    func attach(
        _ attachment: DeliveryReceipt.Attachment, of key: Key, to recording: String
    ) throws(DiskError) -> DeliveryEntry.File {
        let name = "\(recording).\(key.delivery).\(attachment.suffix)", target = "\(store.directory)/\(name)"
        let staging = place(key) + "/" + Self.staging, staged = "\(staging)/\(attachment.suffix)"
        let mode = FileSystem.directoryMode(forFiles: store.fileMode)
        try FileSystem.makeDirectories(staging, below: store.directory, mode: mode)
        if FileSystem.isSameFile(staged, target) { FileSystem.removeName(target) }
        try FileSystem.replace(
            staged, with: Data(attachment.content), mode: store.fileMode, through: staged + ".new")
        let measured = try FileSystem.measure(staged)
        if try !FileSystem.link(staged, as: target) {
            // The same content is that of an earlier attempt whose second name is lost, as without hard links.
            guard try FileSystem.measure(target).sha256 == measured.sha256 else {
                throw DiskError("there is a file \(target) already", underlying: EEXIST)
            }
        }
        try FileSystem.synchronizeDirectory(target.parentPath)
        return DeliveryEntry.File(name: name, bytes: measured.bytes, sha256: measured.sha256)
    }

    /// Removes a delivery from the outbox. Blocks.
    /// - Parameter recording: the name of a recording that was deleted. Files are removed that attempts have put beside
    ///   it, and that no manifest names.
    func remove(_ key: Key, ofDeleted recording: String? = nil) {
        if let recording {
            let staging = place(key) + "/" + Self.staging
            for suffix in FileSystem.names(in: staging) {
                let target = "\(store.directory)/\(recording).\(key.delivery).\(suffix)"
                if FileSystem.isSameFile("\(staging)/\(suffix)", target) { FileSystem.removeName(target) }
            }
        }
        FileSystem.removeTree(place(key))
        FileSystem.removeEmptyDirectory("\(directory)/\(key.id)")
    }
}
