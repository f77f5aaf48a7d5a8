import CallreelCore
import Foundation

extension SimulatedDisk.State {
    /// A name in an existing directory.
    struct Place {
        let directory: Int
        let name: String
    }

    /// Returns the directory and the name at the end of a path.
    func place(of path: String) throws(ErrorNumber) -> Place {
        let parent = path.parentPath
        guard let directory = image.find(parent) else { throw ErrorNumber(image.reasonMissing(parent)) }
        guard image.nodes[directory]?.names != nil else { throw ErrorNumber(ENOTDIR) }
        return Place(directory: directory, name: path.lastPathComponent)
    }

    /// Adds a node under a name, and returns its number.
    mutating func add(_ node: DiskImage.Node, at place: Place) -> Int {
        let number = image.nextNode
        image.nextNode += 1
        image.nodes[number] = node
        change([.init(directory: place.directory, name: place.name, node: number)], at: node.modified)
        return number
    }

    /// Applies an operation on names.
    mutating func change(_ changes: [DiskImage.NameChange], at time: Int) {
        image.apply(changes)
        for change in changes { image.nodes[change.directory]?.modified = time }
    }
}

extension DiskImage {
    /// Returns the error number for a path that leads to nothing.
    func reasonMissing(_ path: String) -> Int32 {
        var parent = path.parentPath
        while !parent.isEmpty, parent != "/" {
            if let node = find(parent) { return nodes[node]?.names == nil ? ENOTDIR : ENOENT }
            parent = parent.parentPath
        }
        return ENOENT
    }

    /// Returns the kind of a node.
    func kind(of number: Int) -> FileStatus.Kind { nodes[number]?.names == nil ? .file : .directory }
}
