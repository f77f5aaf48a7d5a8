/// Lists the files under one or several directories. Follows symbolic links, and visits each directory once.
///
/// Skips hidden names, and names the caller wants ignored.
package struct DirectoryWalk {
    /// A place the walk could not read, with the reason.
    package struct Obstacle: Sendable {
        package let path: String
        package let reason: String
    }

    /// Paths of everything except directories, each beginning with the root passed to `visit(_:)`.
    package private(set) var files: [String] = []
    package private(set) var obstacles: [Obstacle] = []
    private let isIgnored: (String) -> Bool
    private var visited: Set<FileStatus.Identity> = []

    /// Creates a walk with no directory visited yet.
    package init(isIgnored: @escaping (String) -> Bool = { _ in false }) { self.isIgnored = isIgnored }

    /// Adds the files under a directory. Skips directories already visited. Blocks.
    package mutating func visit(_ root: String) {
        // Directories first, then links: a directory reachable both ways is listed under its own name.
        var directories = [root]
        var links: [String] = []
        while true {
            if let directory = directories.popLast() {
                do throws(DiskError) {
                    try visit(directory, &directories, &links)
                } catch {
                    obstacles.append(Obstacle(path: directory, reason: error.description))
                }
            } else if let link = links.popLast() {
                follow(link, &directories)
            } else {
                return
            }
        }
    }

    private mutating func visit(_ directory: String, _ directories: inout [String], _ links: inout [String])
        throws(DiskError)
    {
        guard visited.insert(try FileStatus(directory).identity).inserted else { return }
        for entry in try FileSystem.list(directory) where !entry.name.hasPrefix(".") && !isIgnored(entry.name) {
            let path = directory + "/" + entry.name
            let kind: FileStatus.Kind
            do throws(DiskError) {
                if let known = entry.kind {
                    kind = known
                } else {
                    kind = try FileStatus(path, followsLinks: false).kind
                }
            } catch {
                // Removed since the directory was read.
                if !error.isMissing { obstacles.append(Obstacle(path: path, reason: error.description)) }
                continue
            }
            switch kind {
            case .directory: directories.append(path)
            case .link: links.append(path)
            case .file, .other: files.append(path)
            }
        }
    }

    private mutating func follow(_ link: String, _ directories: inout [String]) {
        do throws(DiskError) {
            if try FileStatus(link).kind == .directory { directories.append(link) } else { files.append(link) }
        } catch {
            obstacles.append(Obstacle(path: link, reason: "is a broken link: \(error)"))
        }
    }
}
