package import CallreelCore
import Foundation
import Synchronization

/// An index of the published recordings, newest first. It answers questions without reading the manifests again.
///
/// Callreel fills the index from the manifests: in the background at the start, and with each publication. A later scan
/// finds added and removed recordings, and reads only changed directories. Nothing is kept on disk.
package final class RecordingIndex: Catalogue {
    /// One recording, shared by the lists and dictionaries of the index.
    fileprivate final class Entry: Sendable {
        let recording: Recording

        init(_ recording: Recording) {
            var recording = recording
            recording.events = []
            recording.deliveries = nil
            recording.call.headers = [:]
            self.recording = recording
        }
    }

    fileprivate struct State {
        /// Recordings sorted by end, oldest first. A call that has just ended comes last, however long it was.
        var entries: [Entry] = []
        var byID: [RecordingID: Entry] = [:]
        var byName: [String: Entry] = [:]
        /// The newest recording of each leg and of each conversation.
        var byLeg: [CallFacts.Identifier: Entry] = [:]
        var byTalk: [CallFacts.Identifier: Entry] = [:]
        /// Manifests by their names without endings, with their recordings,
        /// for each directory relative to the recordings directory.
        var manifests: [String: [String: RecordingID]] = [:]
        var isScanning = false

        /// Adds recordings new to the index. They must be sorted by end, oldest first.
        mutating func add(_ new: [Entry]) {
            let new = new.filter { entry in
                guard byID[entry.recording.id] == nil else { return false }
                byID[entry.recording.id] = entry
                byName[entry.recording.name] = entry
                Self.keep(entry, as: entry.recording.call.leg, in: &byLeg)
                Self.keep(entry, as: entry.recording.call.talk, in: &byTalk)
                return true
            }
            guard let first = new.first else { return }
            // New recordings are nearly always newer than all others, so few entries must move.
            var place = entries.endIndex
            while place > 0, entries[place - 1].recording.newness > first.recording.newness { place -= 1 }
            let tail = entries[place...]
            guard !tail.isEmpty else { return entries.append(contentsOf: new) }
            entries.replaceSubrange(place..., with: (tail + new).sorted { $0.recording.newness < $1.recording.newness })
        }

        private static func keep(
            _ entry: Entry, as name: CallFacts.Identifier?, in names: inout [CallFacts.Identifier: Entry]
        ) {
            guard let name else { return }
            if let other = names[name], other.recording.newness > entry.recording.newness { return }
            names[name] = entry
        }
    }

    private let state = Mutex(State())
    /// The directories as the last scan saw them. Locked while a scan runs.
    private let tree = Mutex(RecordingTree())

    /// Makes an empty index.
    package init() {}

    /// Number of recordings in the index.
    package var count: Int { state.withLock { $0.entries.count } }

    /// True while the first scan reads older recordings.
    package var isScanning: Bool { state.withLock { $0.isScanning } }

    /// Returns a page of recordings, newest first. Their events and headers are left out; the manifests have them.
    package func page(limit: Int, offset: Int) -> [Recording] {
        state.withLock { $0.entries.reversed().dropFirst(offset).prefix(limit).map(\.recording) }
    }

    /// Returns the recording with an identifier, without its events and headers.
    package func recording(_ id: RecordingID) -> Recording? { state.withLock { $0.byID[id]?.recording } }

    /// Returns the recording with a published name, without its events and headers.
    package func recording(named name: String) -> Recording? { state.withLock { $0.byName[name]?.recording } }

    /// Returns the name of a call's newest recording, found by the uuid, or else by the conversation.
    package func name(of facts: CallFacts) -> String? {
        state.withLock { state in
            let entry = facts.leg.flatMap { state.byLeg[$0] } ?? facts.talk.flatMap { state.byTalk[$0] }
            return entry?.recording.name
        }
    }

    /// Adds a newly published recording, or replaces its older entry.
    package func add(_ recording: Recording) {
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

    /// Brings the index up to date with a directory: reads new manifests, and drops the entries of deleted manifests.
    /// Blocks. Follows symbolic links. Skips files that are not manifests.
    /// - Parameter onFound: called with each recording that is read for the first time.
    package func scan(_ directory: String, onFound: (Recording) -> Void = { _ in }) {
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
                    guard let data = try? FileSystem.contents(path),
                        let recording = try? Recording(json: data)
                    else { continue }
                    onFound(recording)
                    found.append((folder, name, Entry(recording)))
                }
            }
            let gone = missing(changed, tree, in: directory)
            // Sorted before the lock is taken, because event loops wait for it.
            found.sort { $0.entry.recording.newness < $1.entry.recording.newness }
            state.withLock { state in
                state.remove(gone)
                for (folder, name, entry) in found { state.manifests[folder, default: [:]][name] = entry.recording.id }
                state.add(found.map(\.entry))
            }
        }
    }

    /// Returns the manifests in the index that no longer exist.
    /// Asks the file system about each one missing from the scan.
    /// So a manifest stays if it was published after its directory was read, or if it cannot be examined.
    private func missing(_ changed: [String: Set<String>], _ tree: RecordingTree, in directory: String) -> [(
        folder: String, name: String
    )] {
        let manifests = state.withLock { $0.manifests }
        var gone: [(folder: String, name: String)] = []
        for (folder, names) in manifests {
            // A directory without a change has lost no manifest.
            if changed[folder] == nil, tree.has(folder) { continue }
            let seen = changed[folder] ?? []
            gone += names.keys.filter {
                !seen.contains($0) && FileStatus.isMissing("\(directory)/\(Self.join(folder, $0)).json")
            }
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
    /// Drops the entries of deleted manifests. Keeps the entry of a recording with another manifest elsewhere.
    fileprivate mutating func remove(_ gone: [(folder: String, name: String)]) {
        guard !gone.isEmpty else { return }
        var ids: Set<RecordingID> = []
        for (folder, name) in gone {
            if let id = manifests[folder]?.removeValue(forKey: name) { ids.insert(id) }
            if manifests[folder]?.isEmpty == true { manifests[folder] = nil }
        }
        for names in manifests.values { ids.subtract(names.values) }
        var legs: Set<CallFacts.Identifier> = [], talks: Set<CallFacts.Identifier> = []
        for id in ids {
            guard let recording = byID.removeValue(forKey: id)?.recording else { continue }
            if byName[recording.name]?.recording.id == id { byName[recording.name] = nil }
            if let leg = recording.call.leg { legs.insert(leg) }
            if let talk = recording.call.talk { talks.insert(talk) }
        }
        for leg in legs { byLeg[leg] = nil }
        for talk in talks { byTalk[talk] = nil }
        entries.removeAll { ids.contains($0.recording.id) }
        // Another recording of the same call may be the newest now.
        guard !legs.isEmpty || !talks.isEmpty else { return }
        for entry in entries {
            if let leg = entry.recording.call.leg, legs.contains(leg) { byLeg[leg] = entry }
            if let talk = entry.recording.call.talk, talks.contains(talk) { byTalk[talk] = entry }
        }
    }
}

extension Recording {
    /// Sort key of recordings: the end, or else the start.
    fileprivate var newness: Date { endedAt }
}
