import Foundation

/// A new directory. It is removed with this object.
public final class TemporaryDirectory: Sendable {
    /// The directory's path.
    public let path: String

    /// Makes a directory.
    public init() {
        path = NSTemporaryDirectory() + "callreel-test-" + UUID().uuidString
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            preconditionFailure("no temporary directory: \(error)")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Returns the paths of all files below a directory, sorted.
    public static func files(below root: String) -> [String] { relativeFiles(root).map { root + "/" + $0 } }

    /// Returns the paths of all files below, relative and sorted.
    ///
    /// Callreel's own files in `.partial` are left out: its lease, the disk's name and the reserve.
    public func files(in folder: String = "") -> [String] {
        Self.relativeFiles(folder.isEmpty ? path : path + "/" + folder)
    }

    private static func isHousekeeping(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        guard let name = parts.last, parts.dropLast().last == ".partial" else { return false }
        return name == "volume" || name == "reserve" || name.hasPrefix("server-")
    }

    private static func relativeFiles(_ root: String) -> [String] {
        let all = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        var isDirectory: ObjCBool = false
        return all.filter { !isHousekeeping(root + "/" + $0) }
            .filter {
                unsafe FileManager.default.fileExists(atPath: root + "/" + $0, isDirectory: &isDirectory)
                    && !isDirectory.boolValue
            }
            .sorted()
    }
}
