/// Everything on a simulated disk at one moment: the content that programs see, and the part of it that was synced.
///
/// An image is a value. A copy costs little, so a test can keep the image before every operation of a history.
package struct DiskImage: Sendable {
    /// One write to a file that was not synced yet.
    enum Change: Sendable {
        case write(offset: Int, bytes: [UInt8])
        case truncate(length: Int)
    }

    /// A file's content: as programs read it, and as it is on stable storage.
    struct Content: Sendable {
        var bytes: [UInt8] = []
        var synced: [UInt8] = []
        /// The changes since the last sync, in order.
        var changes: [Change] = []
        /// A sync has failed. The system then forgets which data it has not written: later syncs report success.
        var isDoomed = false

        /// Applies a change to what programs read.
        mutating func apply(_ change: Change) {
            Self.apply(change, to: &bytes)
            changes.append(change)
        }

        /// Brings the present content to stable storage.
        mutating func synchronize() {
            changes = []
            if !isDoomed { synced = bytes }
        }

        static func apply(_ change: Change, to bytes: inout [UInt8]) {
            switch change {
            case .write(let offset, let new):
                if bytes.count < offset + new.count {
                    bytes.append(contentsOf: repeatElement(0, count: offset + new.count - bytes.count))
                }
                bytes.replaceSubrange(offset..<offset + new.count, with: new)
            case .truncate(let length):
                if length <= bytes.count {
                    bytes.removeLast(bytes.count - length)
                } else {
                    bytes.append(contentsOf: repeatElement(0, count: length - bytes.count))
                }
            }
        }
    }

    /// A file or directory, apart from its names.
    struct Node: Sendable {
        var content = Content()
        /// The names in a directory, with the numbers of their nodes. Nil in a file.
        var names: [String: Int]?
        /// The names on stable storage.
        var syncedNames: [String: Int] = [:]
        var mode: Int
        var links = 1
        /// The time of the last change, in nanoseconds since 1970.
        var modified: Int
    }

    /// A name set or removed in one directory.
    struct NameChange: Sendable {
        let directory: Int
        let name: String
        /// The node's number; nil removes the name.
        let node: Int?
    }

    /// The number of the root directory.
    static let rootNode = 1

    var nodes: [Int: Node]
    /// The number of the next new node.
    var nextNode = 2
    /// Operations on names since the last sync of their directories, in order. A rename changes two names at once.
    var nameChanges: [[NameChange]] = []
    /// Number of power cuts so far.
    var cuts = 0
    /// The time of the last boot, in seconds since 1970.
    var bootTime = 0.0

    /// Makes an empty disk.
    package init() { nodes = [Self.rootNode: Node(names: [:], mode: 0o755, modified: 0)] }

    /// Returns the content of every file that programs see, by path. For the judge of a history.
    package var files: [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        collect(Self.rootNode, "", into: &found)
        return found
    }

    /// Returns the paths of all directories that programs see.
    package var directories: Set<String> {
        var found: [String] = []
        func visit(_ number: Int, _ path: String) {
            for (name, child) in nodes[number]?.names ?? [:] where nodes[child]?.names != nil {
                found.append(path + "/" + name)
                visit(child, path + "/" + name)
            }
        }
        visit(Self.rootNode, "")
        return Set(found)
    }

    private func collect(_ number: Int, _ path: String, into found: inout [String: [UInt8]]) {
        for (name, child) in nodes[number]?.names ?? [:] {
            guard let node = nodes[child] else { continue }
            if node.names == nil {
                found[path + "/" + name] = node.content.bytes
            } else {
                collect(child, path + "/" + name, into: &found)
            }
        }
    }

    /// Returns the node at a path, or nil.
    func find(_ path: String) -> Int? {
        var number = Self.rootNode
        for name in path.utf8.split(separator: UInt8(ascii: "/")) {
            guard let next = nodes[number]?.names?[String(Substring(name))] else { return nil }
            number = next
        }
        return number
    }

    /// Bytes of all files.
    package var usedBytes: Int { nodes.values.reduce(0) { $0 + $1.content.bytes.count } }

    /// Applies an operation on names to what programs see, and notes it as not synced.
    mutating func apply(_ changes: [NameChange]) {
        for change in changes { nodes[change.directory]?.names?[change.name] = change.node }
        nameChanges.append(changes)
    }

    /// Brings the names in a directory to stable storage.
    ///
    /// A rename between two directories is one operation: a sync of either brings both of its names there.
    mutating func synchronizeNames(of directory: Int) {
        var rest: [[NameChange]] = []
        for changes in nameChanges {
            guard changes.contains(where: { $0.directory == directory }) else {
                rest.append(changes)
                continue
            }
            commit(changes)
            // In the other directory of a rename, earlier operations on the same name are without effect from here on.
            for index in rest.indices {
                rest[index].removeAll { old in
                    changes.contains { $0.directory == old.directory && $0.name == old.name }
                }
            }
        }
        nameChanges = rest
    }

    /// Applies an operation to the names on stable storage.
    mutating func commit(_ changes: [NameChange]) {
        for change in changes { nodes[change.directory]?.syncedNames[change.name] = change.node }
    }
}

extension DiskImage {
    /// Returns the disk with all of its content and names on stable storage.
    package func synchronized() -> DiskImage {
        var image = self
        for changes in image.nameChanges { image.commit(changes) }
        image.nameChanges = []
        for number in image.nodes.keys { image.nodes[number]?.content.synchronize() }
        return image
    }
}
