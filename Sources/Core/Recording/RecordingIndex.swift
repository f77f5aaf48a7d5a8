import Foundation
import Synchronization

/// What is known of the published recordings, newest first, without reading them again for each question.
///
/// It is filled from the manifests, in the background at the start and then with each publication; nothing is kept
/// anywhere else, so it can always be made anew.
package final class RecordingIndex: Sendable {
    /// One recording; the lists and the names below lead to the same one.
    private final class Entry: Sendable {
        let recording: Recording

        init(_ recording: Recording) {
            var recording = recording
            recording.events = []
            recording.call.headers = [:]
            self.recording = recording
        }
    }

    private struct State {
        /// Sorted by end, oldest first: a call that has just ended comes last, however long it was.
        var entries: [Entry] = []
        var byID: [RecordingID: Entry] = [:]
        var byName: [String: Entry] = [:]
        /// The newest recording of a leg, and of a conversation.
        var byUUID: [String: Entry] = [:]
        var byConversation: [String: Entry] = [:]
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

    /// Adds a recording that was published now.
    func add(_ recording: Recording) {
        let entry = Entry(recording)
        state.withLock { $0.add([entry]) }
    }

    /// Reads every manifest under the directory. Blocks; files that are not manifests are passed over.
    func scan(_ directory: String) {
        state.withLock { $0.isScanning = true }
        defer { state.withLock { $0.isScanning = false } }
        guard let paths = FileManager.default.enumerator(atPath: directory) else { return }
        var found: [Entry] = []
        for case let path as String in paths {
            if (path as NSString).lastPathComponent.hasPrefix(".") {
                paths.skipDescendants()
                continue
            }
            guard path.hasSuffix(".json") else { continue }
            guard let data = try? Data(contentsOf: URL(fileURLWithPath: directory + "/" + path)),
                let recording = try? Recording(manifest: data)
            else { continue }
            found.append(Entry(recording))
        }
        // Sorted before the lock is taken: event loops wait for it.
        found.sort { $0.recording.newness < $1.recording.newness }
        state.withLock { $0.add(found) }
    }
}

extension Recording {
    /// What recordings are sorted by.
    fileprivate var newness: Date { endedAt ?? startedAt }
}
