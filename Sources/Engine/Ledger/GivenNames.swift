import CallreelCore
import Foundation

/// The published names of a call's files in one directory.
struct GivenNames: Sendable {
    /// The path of a file in the partial directory, and its published path.
    struct Name: Sendable {
        let source: String
        let target: String
        /// The file's SHA-256, which identifies a file renamed before a crash. Nil if unknown.
        let sha256: String?
    }

    /// The sink's own directory. Nil for the recordings directory.
    let root: String?
    /// The directory of the published names.
    let parent: String
    let names: [Name]

    /// Gives every file its published name, durably. If a name is taken,
    /// takes back the others and returns false. Blocks.
    /// - Parameter onGiven: called after each file has its name.
    func give(_ onGiven: () -> Void) throws(DiskError) -> Bool {
        var given: [Name] = []
        do throws(DiskError) {
            for name in names {
                guard try isGiven(name) else {
                    takeBack(given)
                    return false
                }
                given.append(name)
                onGiven()
            }
            try FileSystem.synchronizeDirectory(parent)
        } catch {
            takeBack(given)
            throw error
        }
        return true
    }

    /// Takes all names back. Blocks.
    func takeBack() { takeBack(names) }

    private func takeBack(_ names: [Name]) { for name in names { FileSystem.takeBack(name.target, of: name.source) } }

    /// Gives one file its name, or finds it already given by a program before its crash.
    /// Returns false if the name is taken.
    private func isGiven(_ name: Name) throws(DiskError) -> Bool {
        guard FileSystem.exists(name.source) else {
            guard let sha256 = name.sha256, FileSystem.exists(name.target) else {
                throw DiskError("\(name.source) is missing", underlying: ENOENT)
            }
            return try FileSystem.measure(name.target).sha256 == sha256
        }
        return try FileSystem.link(name.source, as: name.target) || FileSystem.isSameFile(name.source, name.target)
    }
}
