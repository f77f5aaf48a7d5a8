import Foundation
import Synchronization

/// The published recordings, newest first, without reading their manifests again for each question.
///
/// It is filled from the manifests: in the background at the start, and with each publication. A scan that is repeated finds what
/// was added and removed since, and reads only the directories that have changed. Nothing is kept on disk.
package final class RecordingIndex: Sendable {
    /// One recording; the lists and the names below lead to the same one.
    fileprivate final class Entry: Sendable {
        let recording: Recording

        init(_ recording: Recording) {
            var recording = recording
            recording.events = []
            recording.call.headers = [:]
            self.recording = recording
        }
    }

    fileprivate struct State {
        /// Sorted by end, oldest first: a call that has just ended comes last, however long it was.
        var entries: [Entry] = []
        var byID: [RecordingID: Entry] = [:]
        var byName: [String: Entry] = [:]
        /// The newest recording of a leg, and of a conversation.
        var byUUID: [String: Entry] = [:]
        var byConversation: [String: Entry] = [:]
        /// For each directory, relative to the recordings directory: its manifests without their endings, and whose they are.
        var manifests: [String: [String: RecordingID]] = [:]
        var isScanning = false

        /// Adds recordings that are not known yet. They are sorted by end, oldest first.
        mutating func add(_ new: [Entry]) {
            let new = new.filter { entry in
                guard byID[entry.recording.id] == nil else { return false }
                byID[entry.recording.id] = entry
                byName[entry.recording.name] = entry
                Self.keep(entry, as: entry.recording.call.uuid, in: &byUUID)
                Self.keep(entry, as: entry.recording.call.conversation, in: &byConversation)
                return true
            }
            guard let first = new.first else { return }
            // Nearly always newer than all others: what must move is little.
            var place = entries.endIndex
            while place > 0, entries[place - 1].recording.newness > first.recording.newness { place -= 1 }
            let tail = entries[place...]
            guard !tail.isEmpty else { return entries.append(contentsOf: new) }
            entries.replaceSubrange(place..., with: (tail + new).sorted { $0.recording.newness < $1.recording.newness })
        }

        private static func keep(_ entry: Entry, as name: String?, in names: inout [String: Entry]) {
            guard let name else { return }
            if let other = names[name], other.recording.newness > entry.recording.newness { return }
            names[name] = entry
        }
    }

    private let state = Mutex(State())
    /// What the last scan saw. Held while a scan runs.
    private let tree = Mutex(RecordingTree())

    /// Makes an empty index.
    package init() {}

    /// How many recordings are known.
    package var count: Int { state.withLock { $0.entries.count } }

    /// Whether older recordings are still being read.
    package var isScanning: Bool { state.withLock { $0.isScanning } }

    /// Some recordings, newest first. Their events are left out; the manifests have them.
    package func page(limit: Int, offset: Int) -> [Recording] {
        state.withLock { $0.entries.reversed().dropFirst(offset).prefix(limit).map(\.recording) }
    }

    /// The recording with this identifier, without its events.
    package func recording(_ id: RecordingID) -> Recording? { state.withLock { $0.byID[id]?.recording } }

    /// The recording with this published name, without its events.
    package func recording(named name: String) -> Recording? { state.withLock { $0.byName[name]?.recording } }

    /// The name of the newest recording of a call: the one with the same uuid, or else the newest of the conversation.
    func name(of facts: CallFacts) -> String? {
        state.withLock { state in
            let entry = facts.uuid.flatMap { state.byUUID[$0] } ?? facts.conversation.flatMap { state.byConversation[$0] }
            return entry?.recording.name
        }
    }

    /// Adds a recording that was published now, or takes the place of what was known of it.
    func add(_ recording: Recording) {
        let entry = Entry(recording)
        let (folder, name) = Self.split(recording.name)
        state.withLock { state in
            state.manifests[folder, default: [:]][name] = recording.id
            if let old = state.byID.removeValue(forKey: recording.id) {
                state.entries.removeAll { $0 === old }
                if state.byName[old.recording.name] === old { state.byName[old.recording.name] = nil }
            }
            state.add([entry])
        }
    }

    /// Brings the index up to what stands under the directory: manifests that are new are read, and recordings whose manifests have
    /// gone are taken out. Blocks. Symbolic links are followed; files that are not manifests are passed over.
    func scan(_ directory: String) {
        tree.withLock { tree in
            let isFirst = !tree.wasScanned
            if isFirst { state.withLock { $0.isScanning = true } }
            defer { if isFirst { state.withLock { $0.isScanning = false } } }
            let changed = tree.scan(directory)
            var found: [(folder: String, name: String, entry: Entry)] = []
            for (folder, names) in changed {
                let known = state.withLock { $0.manifests[folder] ?? [:] }
                for name in names where known[name] == nil {
                    let path = "\(directory)/\(Self.join(folder, name)).json"
                    guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)), let recording = try? Recording(manifest: data)
                    else { continue }
                    found.append((folder, name, Entry(recording)))
                }
            }
            let gone = missing(changed, tree, in: directory)
            // Sorted before the lock is taken: event loops wait for it.
            found.sort { $0.entry.recording.newness < $1.entry.recording.newness }
            state.withLock { state in
                state.remove(gone)
                for (folder, name, entry) in found { state.manifests[folder, default: [:]][name] = entry.recording.id }
                state.add(found.map(\.entry))
            }
        }
    }

    /// Manifests that the index has and that stand no more. The file system is asked about each: one that was published since its
    /// directory was read stands, and so does one that cannot be looked at.
    private func missing(_ changed: [String: Set<String>], _ tree: RecordingTree, in directory: String) -> [(folder: String, name: String)] {
        let manifests = state.withLock { $0.manifests }
        var gone: [(folder: String, name: String)] = []
        for (folder, names) in manifests {
            // A directory that has not changed has lost nothing.
            if changed[folder] == nil, tree.has(folder) { continue }
            let seen = changed[folder] ?? []
            gone += names.keys.filter { !seen.contains($0) && FileStatus.isMissing("\(directory)/\(Self.join(folder, $0)).json") }
                .map { (folder, $0) }
        }
        return gone
    }

    private static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return ("", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    private static func join(_ folder: String, _ name: String) -> String { folder.isEmpty ? name : "\(folder)/\(name)" }
}

extension RecordingIndex.State {
    /// Takes recordings out whose manifests have gone. One that stands elsewhere too is kept.
    fileprivate mutating func remove(_ gone: [(folder: String, name: String)]) {
        guard !gone.isEmpty else { return }
        var ids: Set<RecordingID> = []
        for (folder, name) in gone {
            if let id = manifests[folder]?.removeValue(forKey: name) { ids.insert(id) }
            if manifests[folder]?.isEmpty == true { manifests[folder] = nil }
        }
        for names in manifests.values { ids.subtract(names.values) }
        var uuids: Set<String> = [], conversations: Set<String> = []
        for id in ids {
            guard let recording = byID.removeValue(forKey: id)?.recording else { continue }
            if byName[recording.name]?.recording.id == id { byName[recording.name] = nil }
            if let uuid = recording.call.uuid { uuids.insert(uuid) }
            if let conversation = recording.call.conversation { conversations.insert(conversation) }
        }
        for uuid in uuids { byUUID[uuid] = nil }
        for conversation in conversations { byConversation[conversation] = nil }
        entries.removeAll { ids.contains($0.recording.id) }
        // Another recording of the same call may be the newest now.
        guard !uuids.isEmpty || !conversations.isEmpty else { return }
        for entry in entries {
            if let uuid = entry.recording.call.uuid, uuids.contains(uuid) { byUUID[uuid] = entry }
            if let conversation = entry.recording.call.conversation, conversations.contains(conversation) { byConversation[conversation] = entry }
        }
    }
}

extension Recording {
    /// What recordings are sorted by.
    fileprivate var newness: Date { endedAt ?? startedAt }
}
