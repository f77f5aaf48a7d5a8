package import CallreelCore
import Foundation

extension Verification {
    /// Default patterns of ignored names: files that file systems, network storage and desktops keep for themselves.
    package static let standardIgnored = [
        "lost+found", "@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "Thumbs.db",
        "desktop.ini", "aquota.user",
        "aquota.group",
    ]

    /// Time limit for the deletion of a recording, in seconds.
    private static let deletionTime = 0.5

    /// The contents of a directory, before any file but the manifests is opened.
    package struct Survey: Sendable {
        /// Recordings with readable manifests.
        package var recordings: [Recording] = []
        /// Files named in no manifest, unreadable manifests, and places that could not be examined.
        package var problems: [Problem] = []
        /// Number of running calls, and of interrupted calls waiting for a repair.
        package var unfinished = 0
        /// True when the directory holds recordings or a `.partial` directory.
        package var isArchive = false
    }

    /// Lists the recordings to check, and the files without a recording. Blocks.
    ///
    /// Follows links, and includes sinks' own directories. A server may publish meanwhile.
    package func survey() throws(DiskError) -> Survey {
        guard try FileStatus(directory).kind == .directory else {
            throw DiskError("\(directory) is not a directory")
        }
        var survey = Survey()
        let partial = directory + "/" + RecordingLayout.partialDirectoryName
        do throws(DiskError) {
            survey.unfinished = try FileSystem.list(partial).count { RecordingID($0.name) != nil }
            survey.isArchive = true
        } catch {
            if !error.isMissing { survey.problems.append(problem(partial, error.description)) }
        }
        var walk = DirectoryWalk(isIgnored: isIgnored)
        walk.visit(directory)
        var unreadable: [String: String] = [:]
        for path in walk.files where path.hasSuffix(".json") {
            do {
                let recording = try Recording(json: FileSystem.contents(path))
                survey.recordings.append(recording)
                if manifestPath(recording) != path {
                    unreadable[path] = "is the manifest of another recording, \(recording.name)"
                }
            } catch {
                // The manifest may have been deleted since it was listed.
                if !FileStatus.isMissing(path) { unreadable[path] = "is not a manifest: \(error)" }
            }
        }
        survey.isArchive = survey.isArchive || !survey.recordings.isEmpty
        let roots = Set(survey.recordings.flatMap { $0.sinks.flatMap(\.files).compactMap(\.directory) }).union(
            UnfinishedCall.all(in: directory).flatMap(\.roots))
        for root in roots.sorted() where !FileStatus.isMissing(root) { walk.visit(root) }
        survey.problems += walk.obstacles.map { problem($0.path, $0.reason) }
        var names = NamedFiles(survey.recordings, in: self)
        var strangers = walk.files.filter { unreadable[$0] == nil && !names.contains($0) }
        if !strangers.isEmpty { strangers = secondLook(at: strangers, roots: roots, &names) }
        if !strangers.isEmpty {
            // A deletion may remove the manifest before the audio.
            Thread.sleep(forTimeInterval: Self.deletionTime)
            strangers = secondLook(at: strangers, roots: roots, &names)
        }
        survey.problems += strangers.map { problem($0, "is not named in any manifest") }
        survey.problems += unreadable.map { problem($0.key, $0.value) }
        survey.problems.sort { $0.file < $1.file }
        return survey
    }

    /// Describes a problem at a path. A path under the recordings directory becomes relative to it.
    func problem(_ path: String, _ reason: String) -> Problem {
        Problem(
            file: path.hasPrefix(directory + "/") ? String(path.dropFirst(directory.count + 1)) : path, reason: reason)
    }

    func manifestPath(_ recording: Recording) -> String { "\(directory)/\(recording.name).json" }

    private func isIgnored(_ name: String) -> Bool { ignored.contains { unsafe fnmatch($0, name, 0) == 0 } }

    /// Returns the files that still belong to no recording after their calls had time to be published.
    ///
    /// The order of the steps makes this exact. A call's files have names under `.partial` until its manifest is
    /// published. So a file without such a name has a published manifest by then.
    private func secondLook(at strangers: [String], roots: Set<String>, _ names: inout NamedFiles) -> [String] {
        let running = UnfinishedCall.all(in: directory)
        var unfinished: Set<FileStatus.Identity> = []
        for root in [directory] + roots {
            let partial = root + "/" + RecordingLayout.partialDirectoryName
            for entry in (try? FileSystem.list(partial)) ?? [] {
                for file in (try? FileSystem.list("\(partial)/\(entry.name)")) ?? [] {
                    if let status = try? FileStatus("\(partial)/\(entry.name)/\(file.name)", followsLinks: false) {
                        unfinished.insert(status.identity)
                    }
                }
            }
        }
        var walk = DirectoryWalk(isIgnored: isIgnored)
        walk.visit(directory)
        for path in walk.files where path.hasSuffix(".json") {
            guard let recording = try? Recording(json: FileSystem.contents(path)) else {
                continue
            }
            names.insert(recording, in: self)
        }
        return strangers.filter { path in
            guard let status = try? FileStatus(path, followsLinks: false) else { return false }
            if unfinished.contains(status.identity) || names.contains(path) || names.contains(status.identity) {
                return false
            }
            // On a file system without hard links, a file moves before its manifest is published.
            return !running.contains { call in
                ([nil] + call.roots.map(Optional.some)).contains { call.mayPublish(path, in: $0 ?? directory) }
            }
        }
    }
}

/// The files named in manifests, by path. A path can be written in several ways, so file identities are compared too.
private struct NamedFiles {
    private var paths: Set<String> = []
    /// Files in sinks' own directories.
    private var elsewhere: Set<String> = []
    private var identities: Set<FileStatus.Identity>?

    init(_ recordings: [Recording], in verification: Verification) {
        for recording in recordings { insert(recording, in: verification) }
    }

    mutating func insert(_ recording: Recording, in verification: Verification) {
        paths.insert(verification.manifestPath(recording))
        for file in recording.sinks.flatMap(\.files) {
            let path = RecordingLayout.path(file, in: verification.directory)
            if paths.insert(path).inserted, file.directory != nil { elsewhere.insert(path) }
        }
        for file in recording.deliveries?.flatMap({ $0.files ?? [] }) ?? [] {
            paths.insert(verification.directory + "/" + file.name)
        }
        identities = nil
    }

    func contains(_ path: String) -> Bool { paths.contains(path) }

    mutating func contains(_ identity: FileStatus.Identity) -> Bool {
        let known = identities ?? Set(elsewhere.compactMap { try? FileStatus($0, followsLinks: false).identity })
        identities = known
        return known.contains(identity)
    }
}
