import Foundation

/// The manifest of an unfinished call: the one that says most among those that a program has left in the call's directory.
///
/// A program may die, or the power may be cut, while a manifest is replaced or published. So there may be several, and some of them
/// may be empty or torn, which are passed over.
struct InterimManifest {
    /// The manifest. Files have the names that they have in the call's directories; `name` is the one that is wanted.
    let recording: Recording
    /// The name under which the program was about to publish the call; nil when it had not come so far.
    let publishing: String?

    /// Reads the manifests in the directory of a call. Nil when none of them can be read. Blocks.
    init?(of id: RecordingID, in directory: String) {
        let entries = (try? FileSystem.list(directory)) ?? []
        var running: [Recording] = [], last: [(stem: String, recording: Recording)] = []
        for entry in entries {
            guard let (stem, ending) = Self.split(entry.name), entry.kind != .directory,
                let data = try? Data(contentsOf: URL(fileURLWithPath: directory + "/" + entry.name)),
                let recording = try? Recording(manifest: data), recording.id == id
            else { continue }
            if ending.hasPrefix(".final") { last.append((stem, recording)) } else { running.append(recording) }
        }
        // One that names a file that was never made durable comes after one that does not.
        let names = Set(entries.map(\.name))
        func rank(_ recording: Recording) -> (Int, Int, Int, Int, Int) {
            let files = recording.sinks.flatMap(\.files)
            let isWhole = files.allSatisfy { $0.directory != nil || names.contains($0.name) }
            return (
                isWhole ? 1 : 0, recording.endedAt == nil ? 0 : 1, recording.framesReceived, recording.events.count + recording.droppedEvents,
                files.count
            )
        }
        let best = running.max { rank($0) < rank($1) }
        guard let final = last.max(by: { $0.recording.events.count < $1.recording.events.count }) else {
            guard let best else { return nil }
            recording = best
            publishing = nil
            return
        }
        publishing = final.recording.name
        recording = Self.unfinished(final.recording, stem: final.stem, like: best)
    }

    /// Takes the name of a manifest in a call's directory apart; nil for other files.
    static func split(_ name: String) -> (stem: String, ending: String)? {
        for ending in RecordingStore.manifestEndings where name.hasSuffix(".json" + ending) {
            return (String(name.dropLast(ending.count + ".json".count)), ending)
        }
        return nil
    }

    /// A manifest that was about to be published, with the names that its files have in the call's directories.
    private static func unfinished(_ final: Recording, stem: String, like running: Recording?) -> Recording {
        var recording = final
        recording.name = running?.name ?? wanted(final.name, stem: stem)
        recording.partName = running?.partName
        for index in recording.sinks.indices {
            let before = running?.sinks.first { $0.name == recording.sinks[index].name }
            recording.sinks[index].directories =
                before?.directories ?? { $0.isEmpty ? nil : $0.sorted() }(Set(recording.sinks[index].files.compactMap(\.directory)))
            for file in recording.sinks[index].files.indices {
                let published = recording.sinks[index].files[file]
                let known = before?.files.first {
                    $0.directory == published.directory && recording.publishedName($0.name, as: final.name) == published.name
                }
                // Without parts in the name, only the path in front differs.
                let plain = published.name.hasPrefix(final.name) ? stem + published.name.dropFirst(final.name.count) : nil
                recording.sinks[index].files[file].name = known?.name ?? plain ?? published.name.lastPathComponent
            }
        }
        return recording
    }

    /// The name that was wanted, of one that may have got a number.
    private static func wanted(_ name: String, stem: String) -> String {
        let path = name.parentPath
        return path.isEmpty ? stem : "\(path)/\(stem)"
    }
}

extension Recording {
    /// What a file of this unfinished call is called once the call is published under a name.
    func publishedName(_ file: String, as name: String) -> String {
        Self.publishedName(file, of: self.name, partName: partName, as: name)
    }

    /// What a file of a call is called once the call is published.
    ///
    /// The name may have got a number, because the one that was wanted is taken: the files get the same.
    static func publishedName(_ file: String, of wanted: String, partName: String?, as name: String) -> String {
        let ending = file.dropFirst(wanted.lastPathComponent.count)
        guard let partName else { return name + ending }
        let (part, rest) = PartName.split(ending)
        return partName.replacing(NameTemplate.part, with: "\(part)") + name.dropFirst(wanted.count) + rest
    }
}
