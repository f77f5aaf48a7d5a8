import CallreelCore
import Foundation

// A call with a lost ledger. Its files supply the known facts.
extension InterruptedCall {
    /// A format never recorded. A sink type that accepts a file in this format does not check formats.
    private static let impossible = AudioFormat(sampleRate: 1009, channels: 7)
    /// The formats to try for a call's audio, the likely ones first.
    private static let likely = [16000, 8000, 24000, 48000, 44100, 22050, 32000, 12000, 11025].flatMap { rate in
        [1, 2].map { AudioFormat(sampleRate: rate, channels: $0) }
    }

    /// One file, with the facts guessed about it.
    private struct Guess {
        let file: CallFile
        let sink: String
        let isFallback: Bool
        let part: Int
        let content: Content

        var type: String { content.type }
        var format: AudioFormat? { content.format }
    }

    /// The facts told by a file's content.
    private struct Content {
        /// The type of a sink that can read the file; the ending if none can.
        var type: String
        /// The format stated by the file itself.
        var format: AudioFormat?
        /// True when a sink can repair the file.
        var isUnderstood = false
    }

    /// Rebuilds a lost ledger from the names and contents of the files.
    ///
    /// Removes the files and returns nil if all are empty. Returns nil also after putting aside files no sink can read.
    func rebuilt(_ names: [String], _ finding: inout Recovery.Finding) throws(DiskError) -> CallLedger? {
        var files = names.map { CallFile(name: $0) }
        for root in roots { files += self.files(in: root) }
        let ledgers = files.filter { FoundLedger.split($0.name) != nil }
        let lost = ledgers.filter { !FileSystem.isBlank(store.path($0, of: id)) }
        for file in lost { try refuseOtherVersions(file) }
        let empty = files.filter { !ledgers.contains($0) && FileSystem.isEmptyFile(store.path($0, of: id)) }
        var audio = files.filter { !ledgers.contains($0) && !empty.contains($0) }
        // The ledger's name went before the names of these files. They have published names.
        var published: [CallFile] = []
        for file in audio where try isPublished(file) { published.append(file) }
        audio.removeAll(where: published.contains)
        if !dryRun { removeWithDirectories(published) }
        guard !audio.isEmpty || !lost.isEmpty else {
            // The power was cut before any of the call was on the disk.
            if !dryRun {
                removeWithDirectories(files)
                FileSystem.removeEmptyDirectory(directory)
            }
            return nil
        }
        let stem =
            ledgers.lazy.compactMap { FoundLedger.split($0.name)?.stem }.first ?? Self.stem(of: audio.map(\.name))
        let guesses = audio.map { guess($0, stem: stem) }
        guard guesses.contains(where: \.content.isUnderstood) else {
            let reason = "\(directory) has no readable manifest, and no sink can identify its files"
            guard settles, !dryRun else { throw DiskError(reason) }
            try setAsideAll(files, &finding)
            return nil
        }
        if !dryRun {
            for file in lost { try putAside(file, &finding) }
            // The rebuilt ledger does not name them, so nobody would look for those in sinks' own directories.
            removeWithDirectories(empty)
        }
        return ledger(of: guesses, stem: stem)
    }

    /// Returns true if a published manifest of this call names a file under another name.
    private func isPublished(_ file: CallFile) throws(DiskError) -> Bool {
        let path = store.path(file, of: id), root = file.root ?? store.directory
        guard let status = try? FileStatus(path, followsLinks: false), status.links > 1 else { return false }
        var walk = DirectoryWalk()
        walk.visit(root)
        let other = walk.files.first { (try? FileStatus($0, followsLinks: false))?.identity == status.identity }
        guard let name = other?.dropFirst(root.count + 1) else { return false }
        let folder = String(name).parentPath
        let place = folder.isEmpty ? "" : folder + "/"
        for manifest in FileSystem.names(in: "\(store.directory)/\(folder)") where manifest.hasSuffix(".json") {
            let published = try published(named: place + manifest.dropLast(".json".count))
            let files = published?.sinks.flatMap(\.files) ?? []
            if files.contains(where: { $0.directory == file.root && $0.name == name }) { return true }
        }
        return false
    }

    private func ledger(of guesses: [Guess], stem: String) -> CallLedger {
        let stated = guesses.lazy.compactMap(\.format).first
        let format = stated ?? Self.likely[0]
        var sinks: [CallLedger.Sink] = []
        for guess in guesses.sorted(by: { ($0.isFallback ? 1 : 0, $0.part) < ($1.isFallback ? 1 : 0, $1.part) }) {
            let entry = CallLedger.File(name: guess.file.name, directory: guess.file.root, bytes: 0)
            if let index = sinks.firstIndex(where: { $0.name == guess.sink }) {
                sinks[index].files.append(entry)
                continue
            }
            var sink = CallLedger.Sink(type: guess.type, name: guess.sink, state: .recording)
            if let own = guess.format, own != format { sink.format = own }
            sink.files = [entry]
            sinks.append(sink)
        }
        for index in sinks.indices {
            let roots = Set(sinks[index].files.compactMap(\.directory))
            sinks[index].directories = roots.isEmpty ? nil : roots.sorted()
        }
        let end = guesses.compactMap { FileSystem.modified(store.path($0.file, of: id)) }.max() ?? Clocks.current.date
        let bytes =
            guesses.compactMap { $0.format == nil ? nil : FileSystem.size(store.path($0.file, of: id)) }.max() ?? 0
        // Estimated from the length of an uncompressed file. Without one, the estimate is later than the true start.
        let start = end.addingTimeInterval(-format.seconds(frames: bytes / format.bytesPerFrame))
        let facts = CallFacts(carrier: "unknown")
        let folder = store.template.name(id: id, call: facts, startedAt: start).parentPath
        var ledger = CallLedger(
            id: id, name: folder.isEmpty ? stem : "\(folder)/\(stem)", call: facts, format: format, startedAt: start,
            sinks: sinks)
        let assumed = stated == nil ? "; its format is assumed" : ""
        ledger.endReason =
            "interrupted: the program ended while the call was running, and the call's manifest was lost\(assumed)"
        return ledger
    }

    /// Guesses a file's sink, part, type and format from its name and content.
    private func guess(_ file: CallFile, stem: String) -> Guess {
        let (part, rest) = PartName.split(
            file.name.hasPrefix(stem) ? String(file.name.dropFirst(stem.count)) : "." + file.name)
        let words = rest.split(separator: ".").map(String.init)
        let content = content(of: file, ending: words.last ?? "")
        let name = words.dropLast().first { $0 != "fallback" }
        return Guess(
            file: file, sink: name ?? content.type, isFallback: words.contains("fallback"), part: part,
            content: content)
    }

    /// Finds out which sink can read a file, beginning with the one that its ending names.
    private func content(of file: CallFile, ending: String) -> Content {
        let path = store.path(file, of: id)
        let others = registry.types.map(\.type).filter { $0 != ending }
        for candidate in (registry[ending] == nil ? [] : [ending]) + others {
            guard let repair = registry[candidate]?.repair else { continue }
            if let found = try? repair(path, Self.impossible, true), found.frames >= 0 {
                // Raw samples, for example: only the name tells their type.
                guard candidate == ending else { continue }
                return Content(type: ending, isUnderstood: true)
            }
            if let found = Self.likely.first(where: { ((try? repair(path, $0, true)) ?? nil) != nil }) {
                return Content(type: candidate, format: found, isUnderstood: true)
            }
        }
        return Content(type: ending)
    }

    /// Returns the common beginning of the names, up to a dot.
    private static func stem(of names: [String]) -> String {
        guard let first = names.first else { return "" }
        let common = names.dropFirst().reduce(first) { $0.commonPrefix(with: $1) }
        // If several names differ right after a dot, the beginning ends before the dot. Otherwise, drop the extension.
        guard names.count == 1 || !common.hasSuffix(".") else { return String(common.dropLast()) }
        let ending = common.pathExtension
        let bare = ending.isEmpty ? common : String(common.dropLast(ending.count + 1))
        return bare.isEmpty ? common : bare
    }

    /// Throws if a ledger has another version, or cannot be read now: such a ledger is not damaged.
    private func refuseOtherVersions(_ file: CallFile) throws(DiskError) {
        struct Version: Decodable { let version: Int }
        let path = store.path(file, of: id)
        let data = try FileSystem.contents(path)
        guard let version = try? JSONDecoder().decode(Version.self, from: data).version,
            version != CallLedger.currentVersion
        else { return }
        throw DiskError("\(path): manifest version \(version) is not \(CallLedger.currentVersion)")
    }

    /// Removes files, and the call's directories in sinks' own directories if nothing is left there.
    private func removeWithDirectories(_ files: [CallFile]) {
        remove(files)
        for root in Set(files.compactMap(\.root)) {
            FileSystem.removeEmptyDirectory(RecordingLayout.partialDirectory(of: id, in: root))
        }
    }
}

extension FileSystem {
    /// Returns true if a ledger has no bytes or only zeros, as after a power cut.
    static func isBlank(_ path: String) -> Bool {
        if isEmptyFile(path) { return true }
        guard let data = try? FileSystem.contents(path) else { return false }
        return data.allSatisfy { $0 == 0 }
    }
}
