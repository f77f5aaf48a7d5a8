import Foundation
import Synchronization

/// What is known of the published recordings, newest first, without reading them again for each question.
///
/// It is filled from the manifests, in the background at the start and then with each publication; nothing is kept
/// anywhere else, so it can always be made anew.
package final class RecordingIndex: Sendable {
    private struct State {
        /// Sorted by end, newest first: a call that has just ended comes on top, however long it was.
        var recordings: [Recording] = []
        var known: Set<RecordingID> = []
        var isScanning = false
    }

    private let state = Mutex(State())

    /// Makes an empty index.
    package init() {}

    /// How many recordings are known.
    package var count: Int { state.withLock { $0.recordings.count } }

    /// Whether older recordings are still being read.
    package var isScanning: Bool { state.withLock { $0.isScanning } }

    /// Some recordings, newest first. Their events are left out; the manifests have them.
    package func page(limit: Int, offset: Int) -> [Recording] {
        state.withLock { Array($0.recordings.dropFirst(offset).prefix(limit)) }
    }

    /// The name of the newest recording of a call.
    func name(of facts: CallFacts) -> String? {
        state.withLock { state in facts.best(in: state.recordings, facts: \.call)?.name }
    }

    /// Adds a recording that was published now.
    func add(_ recording: Recording) {
        var recording = recording
        recording.events = []
        recording.call.headers = [:]
        state.withLock { state in
            guard state.known.insert(recording.id).inserted else { return }
            // Nearly always the newest: the search from the front is short.
            let place = state.recordings.firstIndex { $0.newness <= recording.newness } ?? state.recordings.endIndex
            state.recordings.insert(recording, at: place)
        }
    }

    /// Reads every manifest under the directory. Blocks; files that are not manifests are passed over.
    func scan(_ directory: String) {
        state.withLock { $0.isScanning = true }
        defer { state.withLock { $0.isScanning = false } }
        guard let paths = FileManager.default.enumerator(atPath: directory) else { return }
        var found: [Recording] = []
        for case let path as String in paths {
            if (path as NSString).lastPathComponent.hasPrefix(".") {
                paths.skipDescendants()
                continue
            }
            guard path.hasSuffix(".json") else { continue }
            guard let data = try? Data(contentsOf: URL(fileURLWithPath: directory + "/" + path)),
                var recording = try? Recording(manifest: data)
            else { continue }
            recording.events = []
            recording.call.headers = [:]
            found.append(recording)
        }
        state.withLock { state in
            state.recordings += found.filter { state.known.insert($0.id).inserted }
            state.recordings.sort { $0.newness > $1.newness }
        }
    }
}

extension Recording {
    /// What recordings are sorted by.
    fileprivate var newness: Date { endedAt ?? startedAt }
}
