/// Lists the files under one or several directories. Symbolic links are followed, and each directory is visited once.
///
/// Hidden names are passed over. So are the names that the caller wants ignored.
struct DirectoryWalk {
    /// A place that could not be looked at, and why.
    struct Obstacle: Sendable {
        let path: String
        let reason: String
    }

    /// Paths of everything that is no directory, each beginning with the directory that was asked for.
    private(set) var files: [String] = []
    private(set) var obstacles: [Obstacle] = []
    private let isIgnored: (String) -> Bool
    private var visited: Set<FileStatus.Identity> = []

    /// Prepares a walk that has seen nothing yet.
    init(isIgnored: @escaping (String) -> Bool = { _ in false }) { self.isIgnored = isIgnored }

    /// Adds the files under a directory. Blocks. What was visited before is not visited again.
    mutating func visit(_ root: String) {
        // Directories first, then links: a directory that can be reached both ways is listed under its own name.
        var directories = [root]
        var links: [String] = []
        while true {
            if let directory = directories.popLast() {
                do throws(RecordingError) {
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

    private mutating func visit(_ directory: String, _ directories: inout [String], _ links: inout [String]) throws(RecordingError) {
        guard visited.insert(try FileStatus(directory).identity).inserted else { return }
        for entry in try FileSystem.list(directory) where !entry.name.hasPrefix(".") && !isIgnored(entry.name) {
            let path = directory + "/" + entry.name
            let kind: FileStatus.Kind
            do throws(RecordingError) {
                if let known = entry.kind { kind = known } else { kind = try FileStatus(path, followsLinks: false).kind }
            } catch {
                // It has gone since the directory was read.
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
        do throws(RecordingError) {
            if try FileStatus(link).kind == .directory { directories.append(link) } else { files.append(link) }
        } catch {
            obstacles.append(Obstacle(path: link, reason: "is a link that leads nowhere: \(error)"))
        }
    }
}
