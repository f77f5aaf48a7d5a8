#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The published names of a call's files in one directory.
struct GivenNames: Sendable {
    /// A file's name in the partial directory, and the one that it gets.
    struct Name: Sendable {
        let source: String
        let target: String
        /// Its SHA-256, by which a file that was renamed before a crash is known; nil where it is not known.
        let sha256: String?
    }

    /// The sink's own directory; nil is the recordings directory.
    let root: String?
    /// The directory that the names stand in.
    let parent: String
    let names: [Name]

    /// Gives every file its name, durably. Returns false when one is taken; then none of the files has its name. Blocks.
    /// - Parameter onGiven: called after each file has its name.
    func give(_ onGiven: () -> Void) throws(RecordingError) -> Bool {
        var given: [Name] = []
        do throws(RecordingError) {
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

    /// Gives one name. It may have been given by a program that died while it published.
    private func isGiven(_ name: Name) throws(RecordingError) -> Bool {
        guard FileSystem.exists(name.source) else {
            guard let sha256 = name.sha256, FileSystem.exists(name.target) else {
                throw RecordingError("\(name.source) is missing", underlying: ENOENT)
            }
            return try FileSystem.measure(name.target).sha256 == sha256
        }
        return try FileSystem.link(name.source, as: name.target) || FileSystem.isSameFile(name.source, name.target)
    }
}
