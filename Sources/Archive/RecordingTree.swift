import CallreelCore
import Foundation

/// The directories of an archive at the last scan, so that the next scan reads only changed directories.
struct RecordingTree {
    private struct Folder {
        let identity: FileStatus.Identity
        let modified: FileStatus.Moment
        /// True when the directory had not changed for a while before it was read.
        /// Otherwise, a later change may lie in the same tick of the file system's clock and not show.
        let isSettled: Bool
        var folders: [String] = []
        var links: [String] = []
    }

    /// Seconds without a change after which a directory may be skipped.
    /// The coarsest clock of a file system ticks every 2 s.
    private static let settleTime = 3.0

    private var folders: [String: Folder] = [:]
    /// True when a scan has finished.
    private(set) var wasScanned = false

    /// True when a directory existed at the last scan. The path is relative to the root, whose own path is "".
    func has(_ folder: String) -> Bool { folders[folder] != nil }

    /// Scans every directory under a root. Blocks. Follows links, skips hidden names, and visits no directory twice.
    /// - Returns: the manifest names, without endings, of each directory that may have changed.
    mutating func scan(_ root: String) -> [String: Set<String>] {
        var seen: [String: Folder] = [:]
        var changed: [String: Set<String>] = [:]
        var visited: Set<FileStatus.Identity> = []
        // Links come after all directories, so that a directory reachable both ways gets its own path.
        var pending = [""], links: [String] = []
        while let path = pending.popLast() ?? links.popLast() {
            do throws(DiskError) {
                let place = path.isEmpty ? root : "\(root)/\(path)"
                let status = try FileStatus(place)
                guard status.kind == .directory, visited.insert(status.identity).inserted else { continue }
                var folder: Folder
                if let known = folders[path], known.isSettled, known.identity == status.identity,
                    known.modified == status.modified
                {
                    folder = known
                } else {
                    folder = Folder(
                        identity: status.identity, modified: status.modified, isSettled: Self.isSettled(status.modified)
                    )
                    changed[path] = try read(place, into: &folder)
                }
                seen[path] = folder
                let prefix = path.isEmpty ? "" : path + "/"
                pending += folder.folders.map { prefix + $0 }
                links += folder.links.map { prefix + $0 }
            } catch {
                // The directory is gone or cannot be read now. The next scan tries again.
                continue
            }
        }
        folders = seen
        wasScanned = true
        return changed
    }

    /// Lists a directory. Returns the names of its manifests, without endings.
    private func read(_ place: String, into folder: inout Folder) throws(DiskError) -> Set<String> {
        var manifests: Set<String> = []
        for entry in try FileSystem.list(place) where !entry.name.hasPrefix(".") {
            if entry.name.hasSuffix(".json") {
                manifests.insert(String(entry.name.dropLast(".json".count)))
                continue
            }
            let kind: FileStatus.Kind?
            if let known = entry.kind {
                kind = known
            } else {
                kind = (try? FileStatus("\(place)/\(entry.name)", followsLinks: false))?.kind
            }
            switch kind {
            case .directory: folder.folders.append(entry.name)
            case .link: folder.links.append(entry.name)
            default: break
            }
        }
        return manifests
    }

    private static func isSettled(_ modified: FileStatus.Moment) -> Bool {
        let age = Clocks.current.date.timeIntervalSince1970 - Double(modified.seconds)
        return age > settleTime
    }
}
