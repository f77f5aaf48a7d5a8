import CallreelCore

/// Names in a directory of unfinished recordings that a program left behind when it died, and that are no calls yet.
///
/// A name younger than a minute may belong to a running program, and is left alone.
struct Leftovers {
    /// The directory of unfinished recordings.
    private let directory: String

    /// Describes a directory. Touches no disk.
    init(in directory: String) { self.directory = directory }

    /// Removes what holds no audio. Gives the directories of calls that never got their final names these names.
    /// Blocks.
    /// - Parameter names: the names in the directory.
    /// - Returns: the calls found.
    func tidy(_ names: [String]) -> [FileSystem.Entry] {
        var calls: [FileSystem.Entry] = []
        for name in names where isLeftover(name) && FileSystem.isOld("\(directory)/\(name)") {
            if name.hasSuffix(Self.manifestEnding) {
                // The replacement of a published manifest, which never took its place.
                FileSystem.removeName("\(directory)/\(name)")
            } else if let call = finish(name) {
                calls.append(call)
            }
        }
        return calls
    }

    private static let manifestEnding = ".json"

    private func isLeftover(_ name: String) -> Bool {
        if name.hasPrefix(DirectoryLock.newPrefix) { return true }
        return name.hasSuffix(Self.manifestEnding)
            && RecordingID(String(name.dropLast(Self.manifestEnding.count))) != nil
    }

    /// Removes a directory that never got its final name, if it holds at most a ledger.
    ///
    /// A power cut may take the final name of a call's directory, and leave audio in it, or in a directory that its
    /// ledger names. The directory then gets its name again, and is a call like the others.
    private func finish(_ name: String) -> FileSystem.Entry? {
        let path = "\(directory)/\(name)", final = String(name.dropFirst(DirectoryLock.newPrefix.count))
        guard let lock = try? DirectoryLock(existing: path), let entries = try? FileSystem.list(path) else {
            return nil
        }
        defer { withExtendedLifetime(lock) {} }
        let manifests = entries.filter { FoundLedger.split($0.name) != nil }
        let id = RecordingID(final), roots = id.flatMap { FoundLedger(of: $0, in: path)?.ledger.roots } ?? []
        if manifests.count < entries.count || !roots.isEmpty {
            let place = "\(directory)/\(final)"
            guard id != nil, FileStatus.isMissing(place) else { return nil }
            guard (try? FileSystem.rename(path, to: place, failing: "cannot rename \(path) to \(place)")) != nil else {
                return nil
            }
            return FileSystem.Entry(name: final, kind: .directory)
        }
        for entry in manifests { FileSystem.removeName("\(path)/\(entry.name)") }
        FileSystem.removeEmptyDirectory(path)
        return nil
    }
}
