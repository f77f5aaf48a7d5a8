import CallreelCore
import Foundation

/// The best readable ledger in the directory of an unfinished call, or the manifest prepared for its publication.
///
/// If the program dies or the power is cut while a ledger is replaced or a manifest is published, several may be left.
/// Empty and torn ones are skipped.
struct FoundLedger {
    /// The ledger. Its files have their names in the call's directories, and `name` is the one first chosen.
    let ledger: CallLedger
    /// The name under which the program was about to publish the call. Nil if publishing had not begun.
    let publishing: String?

    /// Reads the ledgers in a call's directory. Returns nil if none is readable. Blocks.
    init?(of id: RecordingID, in directory: String) {
        let entries = (try? FileSystem.list(directory)) ?? []
        var running: [CallLedger] = [], last: [(stem: String, manifest: Recording)] = []
        for entry in entries {
            guard let (stem, ending) = Self.split(entry.name), entry.kind != .directory,
                let data = try? FileSystem.contents(directory + "/" + entry.name)
            else { continue }
            if ending.hasPrefix(".final") {
                if let manifest = try? Recording(json: data), manifest.id == id { last.append((stem, manifest)) }
            } else if let ledger = try? CallLedger(json: data), ledger.id == id {
                running.append(ledger)
            }
        }
        // A power cut may take a file named in a ledger. Prefer a ledger with all its files present.
        let names = Set(entries.map(\.name))
        func rank(_ ledger: CallLedger) -> (Int, Int, Int, Int, Int) {
            let files = ledger.sinks.flatMap(\.files)
            let isWhole = files.allSatisfy { $0.directory != nil || names.contains($0.name) }
            return (
                isWhole ? 1 : 0, ledger.endedAt == nil ? 0 : 1, ledger.framesReceived,
                ledger.events.count + ledger.droppedEvents,
                files.count
            )
        }
        let best = running.max { rank($0) < rank($1) }
        guard let final = last.max(by: { $0.manifest.events.count < $1.manifest.events.count }) else {
            guard let best else { return nil }
            ledger = best
            publishing = nil
            return
        }
        publishing = final.manifest.name
        ledger = Self.unfinished(final.manifest, stem: final.stem, like: best)
    }

    /// Splits the name of a ledger, or of a prepared manifest, in a call's directory. Returns nil for other files.
    static func split(_ name: String) -> (stem: String, ending: String)? {
        for ending in RecordingLayout.manifestEndings where name.hasSuffix(".json" + ending) {
            return (String(name.dropLast(ending.count + ".json".count)), ending)
        }
        return nil
    }

    /// Returns the ledger behind a manifest prepared for publication, with its files' names in the call's directories.
    private static func unfinished(_ final: Recording, stem: String, like running: CallLedger?) -> CallLedger {
        var ledger = CallLedger(reopening: final)
        ledger.name = running?.name ?? wanted(final.name, stem: stem)
        ledger.partName = running?.partName
        for index in ledger.sinks.indices {
            let before = running?.sinks.first { $0.name == ledger.sinks[index].name }
            ledger.sinks[index].directories =
                before?.directories
                ?? { $0.isEmpty ? nil : $0.sorted() }(Set(ledger.sinks[index].files.compactMap(\.directory)))
            for file in ledger.sinks[index].files.indices {
                let published = ledger.sinks[index].files[file]
                let known = before?.files.first {
                    $0.directory == published.directory
                        && ledger.publishedName($0.name, as: final.name) == published.name
                }
                // If names have no part number, only the beginning differs.
                let plain =
                    published.name.hasPrefix(final.name) ? stem + published.name.dropFirst(final.name.count) : nil
                ledger.sinks[index].files[file].name = known?.name ?? plain ?? published.name.lastPathComponent
            }
        }
        return ledger
    }

    /// Returns the name first chosen for a recording whose published name may have a number.
    private static func wanted(_ name: String, stem: String) -> String {
        let path = name.parentPath
        return path.isEmpty ? stem : "\(path)/\(stem)"
    }
}
