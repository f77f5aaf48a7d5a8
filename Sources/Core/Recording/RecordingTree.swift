import Foundation

/// The directories of an archive as they were last seen, so that a scan reads only those that have changed.
struct RecordingTree {
    private struct Folder {
        let identity: FileStatus.Identity
        let modified: FileStatus.Moment
        /// Whether it had been left alone for a while when it was read. A change within the same tick of the file system's clock
        /// does not show.
        let isSettled: Bool
        var folders: [String] = []
        var links: [String] = []
    }

    /// Seconds for which a directory must have been left alone to be passed over: the coarsest clock of a file system ticks each 2 s.
    private static let settleTime = 3.0

    private var folders: [String: Folder] = [:]
    /// Whether a scan has come to its end.
    private(set) var wasScanned = false

    /// Whether a directory was there at the last scan; by its path relative to the root, which is "".
    func has(_ folder: String) -> Bool { folders[folder] != nil }

    /// Looks at every directory under a root. Blocks. Links are followed; hidden names are passed over; no directory is visited twice.
    /// - Returns: for each directory that may have changed: the manifests in it, without their endings.
    mutating func scan(_ root: String) -> [String: Set<String>] {
        var seen: [String: Folder] = [:]
        var changed: [String: Set<String>] = [:]
        var visited: Set<FileStatus.Identity> = []
        // Links come after all directories: one that can be reached both ways has the name that is its own.
        var pending = [""], links: [String] = []
        while let path = pending.popLast() ?? links.popLast() {
            do throws(RecordingError) {
                let place = path.isEmpty ? root : "\(root)/\(path)"
                let status = try FileStatus(place)
                guard status.kind == .directory, visited.insert(status.identity).inserted else { continue }
                var folder: Folder
                if let known = folders[path], known.isSettled, known.identity == status.identity, known.modified == status.modified {
                    folder = known
                } else {
                    folder = Folder(identity: status.identity, modified: status.modified, isSettled: Self.isSettled(status.modified))
                    changed[path] = try read(place, into: &folder)
                }
                seen[path] = folder
                let prefix = path.isEmpty ? "" : path + "/"
                pending += folder.folders.map { prefix + $0 }
                links += folder.links.map { prefix + $0 }
            } catch {
                // It has gone, or cannot be looked at now: the next scan looks again.
                continue
            }
        }
        folders = seen
        wasScanned = true
        return changed
    }

    /// Lists a directory. Returns the names of its manifests.
    private func read(_ place: String, into folder: inout Folder) throws(RecordingError) -> Set<String> {
        var manifests: Set<String> = []
        for entry in try FileSystem.list(place) where !entry.name.hasPrefix(".") {
            if entry.name.hasSuffix(".json") {
                manifests.insert(String(entry.name.dropLast(".json".count)))
                continue
            }
            let kind: FileStatus.Kind?
            if let known = entry.kind { kind = known } else { kind = (try? FileStatus("\(place)/\(entry.name)", followsLinks: false))?.kind }
            switch kind {
            case .directory: folder.folders.append(entry.name)
            case .link: folder.links.append(entry.name)
            default: break
            }
        }
        return manifests
    }

    private static func isSettled(_ modified: FileStatus.Moment) -> Bool {
        let age = Date().timeIntervalSince1970 - Double(modified.seconds)
        return age > settleTime
    }
}
