import Foundation

/// The best readable manifest in the directory of an unfinished call.
///
/// If the program dies or the power is cut while a manifest is replaced or published, several may be left.
/// Empty and torn ones are skipped.
package struct InterimManifest {
    /// The manifest. Its files have their names in the call's directories, and `name` is the one first chosen.
    package let recording: Recording
    /// The name under which the program was about to publish the call. Nil if publishing had not begun.
    package let publishing: String?

    /// Reads the manifests in a call's directory. Returns nil if none is readable. Blocks.
    package init?(of id: RecordingID, in directory: String) {
        let entries = (try? FileSystem.list(directory)) ?? []
        var running: [Recording] = [], last: [(stem: String, recording: Recording)] = []
        for entry in entries {
            guard let (stem, ending) = Self.split(entry.name), entry.kind != .directory,
                let data = try? FileSystem.contents(directory + "/" + entry.name),
                let recording = try? Recording(manifest: data), recording.id == id
            else { continue }
            if ending.hasPrefix(".final") { last.append((stem, recording)) } else { running.append(recording) }
        }
        // A power cut may take a file named in a manifest. Prefer a manifest with all its files present.
        let names = Set(entries.map(\.name))
        func rank(_ recording: Recording) -> (Int, Int, Int, Int, Int) {
            let files = recording.sinks.flatMap(\.files)
            let isWhole = files.allSatisfy { $0.directory != nil || names.contains($0.name) }
            return (
                isWhole ? 1 : 0, recording.endedAt == nil ? 0 : 1, recording.framesReceived,
                recording.events.count + recording.droppedEvents,
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

    /// Splits the name of a manifest in a call's directory. Returns nil for other files.
    package static func split(_ name: String) -> (stem: String, ending: String)? {
        for ending in RecordingLayout.manifestEndings where name.hasSuffix(".json" + ending) {
            return (String(name.dropLast(ending.count + ".json".count)), ending)
        }
        return nil
    }

    /// Returns a manifest prepared for publication, with its files' names in the call's directories restored.
    private static func unfinished(_ final: Recording, stem: String, like running: Recording?) -> Recording {
        var recording = final
        recording.name = running?.name ?? wanted(final.name, stem: stem)
        recording.partName = running?.partName
        for index in recording.sinks.indices {
            let before = running?.sinks.first { $0.name == recording.sinks[index].name }
            recording.sinks[index].directories =
                before?.directories
                ?? { $0.isEmpty ? nil : $0.sorted() }(Set(recording.sinks[index].files.compactMap(\.directory)))
            for file in recording.sinks[index].files.indices {
                let published = recording.sinks[index].files[file]
                let known = before?.files.first {
                    $0.directory == published.directory
                        && recording.publishedName($0.name, as: final.name) == published.name
                }
                // If names have no part number, only the beginning differs.
                let plain =
                    published.name.hasPrefix(final.name) ? stem + published.name.dropFirst(final.name.count) : nil
                recording.sinks[index].files[file].name = known?.name ?? plain ?? published.name.lastPathComponent
            }
        }
        return recording
    }

    /// Returns the name first chosen for a recording whose published name may have a number.
    private static func wanted(_ name: String, stem: String) -> String {
        let path = name.parentPath
        return path.isEmpty ? stem : "\(path)/\(stem)"
    }
}

extension Recording {
    /// Returns the published name of a file of this unfinished call, given the call's published name.
    package func publishedName(_ file: String, as name: String) -> String {
        Self.publishedName(file, of: self.name, partName: partName, as: name)
    }

    /// Returns the published name of a file, given the call's published name.
    ///
    /// If the chosen name was taken, the call's name has a number. Its files get the same number.
    package static func publishedName(_ file: String, of wanted: String, partName: String?, as name: String) -> String {
        let ending = file.dropFirst(wanted.lastPathComponent.count)
        guard let partName else { return name + ending }
        let (part, rest) = PartName.split(ending)
        return partName.replacing(PartName.placeholder, with: "\(part)") + name.dropFirst(wanted.count) + rest
    }
}
