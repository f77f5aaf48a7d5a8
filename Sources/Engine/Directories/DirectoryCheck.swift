import CallreelCore
import Foundation

/// Checks that a directory can be used or created, without creating anything. Blocks.
package enum DirectoryCheck {
    /// Returns the reason no file can be created in a directory at this path, worded to follow the path.
    /// Returns nil if no reason was found.
    ///
    /// If the directory is missing, checks its nearest existing ancestor.
    /// - Parameter mustExist: true if a missing directory is an error.
    package static func mistake(_ path: String, mustExist: Bool = false) -> String? {
        let whole = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        let absolute = "/" + whole.split(separator: "/").joined(separator: "/")
        let disk = FileSystem.disk
        var current = absolute
        while true {
            let number: Int32
            do throws(ErrorNumber) {
                let kind = try disk.status(current, followsLinks: true).kind
                let place = current == absolute ? "" : "cannot be created: \(current) "
                guard kind == .directory else { return "\(place)is not a directory" }
                if let type = MountTable.typeWithoutFiles(current) {
                    return "\(place)is on a file system that stores no files (\(type))"
                }
                do throws(ErrorNumber) {
                    try disk.checkMayCreate(in: current)
                    return nil
                } catch {
                    return
                        "\(place)is not writable for user ID \(geteuid()): \(systemMessage(error.value))"
                }
            } catch {
                number = error.value
            }
            if mustExist {
                return number == ENOENT
                    ? "is missing but must exist; is its disk mounted?" : "cannot be examined: \(systemMessage(number))"
            }
            guard number == ENOENT else {
                // A file is in a directory's place. Checking the path above finds out which.
                if number == ENOTDIR, let parent = parent(of: current) {
                    current = parent
                    continue
                }
                return "cannot be examined: \(systemMessage(number))"
            }
            if FileSystem.exists(current) { return "cannot be created: \(current) is a broken symbolic link" }
            guard let parent = parent(of: current) else { return "cannot be created" }
            current = parent
        }
    }

    private static func parent(of path: String) -> String? {
        guard path != "/", let cut = path.lastIndex(of: "/") else { return nil }
        return cut == path.startIndex ? "/" : String(path[..<cut])
    }
}
