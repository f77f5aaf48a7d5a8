import Foundation

/// Facts about an unfinished call that other programs may read: its name, and the places of its files.
///
/// They are part of the recorder's ledger of the call, in the call's directory. The rest of the ledger is the
/// recorder's own and may change.
package struct UnfinishedCall: Sendable, Decodable {
    private struct Sink: Decodable {
        struct File: Decodable { let directory: String? }

        let directories: [String]?
        let files: [File]

        var roots: [String] { (directories ?? []) + files.compactMap(\.directory) }
    }

    package let id: RecordingID
    /// The wanted name of the recording.
    package let name: String
    /// Name of the files, with `{part}` in place of the part number; nil if they use ``name``.
    private let partName: String?
    package let call: CallFacts
    private let sinks: [Sink]

    /// Directories, besides the recordings directory, where files of this call may be.
    package var roots: Set<String> { Set(sinks.flatMap(\.roots)) }

    /// True when this call may give the path to a file.
    package func mayPublish(_ path: String, in root: String) -> Bool {
        let stem =
            partName.map { String($0[..<($0.range(of: PartName.placeholder)?.lowerBound ?? $0.endIndex)]) } ?? name
        let beginning = root + "/" + stem
        guard path.hasPrefix(beginning) else { return false }
        return partName != nil || path.dropFirst(beginning.count).first.map { $0 == "." || $0 == "-" } ?? false
    }

    /// Returns the unfinished calls of a recordings directory, in the order of their identifiers. Blocks.
    ///
    /// While a ledger is replaced there may be several of one call. Each of them counts.
    package static func all(in directory: String) -> [UnfinishedCall] {
        let partial = directory + "/" + RecordingLayout.partialDirectoryName
        return ((try? FileSystem.list(partial)) ?? []).map(\.name).sorted().flatMap { entry -> [UnfinishedCall] in
            guard let id = RecordingID(entry) else { return [] }
            let place = partial + "/" + entry
            return ((try? FileSystem.list(place)) ?? []).compactMap { file in
                guard RecordingLayout.manifestEndings.contains(where: { file.name.hasSuffix(".json" + $0) }),
                    file.kind != .directory, let data = try? FileSystem.contents(place + "/" + file.name),
                    let call = try? JSONDecoder().decode(UnfinishedCall.self, from: data), call.id == id,
                    call.roots.allSatisfy({ (try? ManifestError.demand(directory: $0, "directories")) != nil })
                else { return nil }
                return call
            }
        }
    }
}
