import Synchronization

/// A directory in which one sink of one call may write its files, part after part.
final class SinkPlace: Sendable {
    /// The directory of the call's files in this place, for messages.
    let directory: String
    /// The beginning of the file names of the first part.
    private let stem: String
    /// Makes the context of a part from its stem.
    private let makeContext: @Sendable (String) -> SinkContext
    /// The parts so far, with the frame at which each begins. The next part replaces a last part without a file.
    private let parts = Mutex<[(context: SinkContext, start: Int)]>([])

    /// Describes a place. Nothing is created on the disk yet.
    init(directory: String, stem: String, makeContext: @escaping @Sendable (_ stem: String) -> SinkContext) {
        self.directory = directory
        self.stem = stem
        self.makeContext = makeContext
    }

    /// Returns the context of the next part, which begins at a frame of the call. If the last part made no file, its
    /// number is used again.
    func nextPart(start: Int) -> SinkContext {
        parts.withLock { parts in
            if let last = parts.last, last.context.createdFiles.isEmpty { parts.removeLast() }
            let context = makeContext(PartName.stem(stem, part: parts.count + 1))
            parts.append((context, start))
            return context
        }
    }

    /// All files made here so far. Their frame counts are unknown, and all files of one part begin together.
    var files: [CallFile] {
        parts.withLock { $0 }.flatMap { part in
            part.context.createdFiles.map { CallFile(root: part.context.root, name: $0, start: part.start) }
        }
    }
}

/// Names for the files of a sink's parts while the call runs: `call.wav`, `call.part2.wav`, `call.part3.wav`.
enum PartName {
    /// The word before the number of a part.
    private static let word = "part"

    /// Returns the beginning of the file names of a part.
    static func stem(_ stem: String, part: Int) -> String { part == 1 ? stem : "\(stem).\(word)\(part)" }

    /// Returns true if a lower-case word marks a part, as `part2` does.
    static func isMark(_ word: String) -> Bool {
        let number = word.dropFirst(Self.word.count)
        return word.hasPrefix(Self.word) && !number.isEmpty && number.allSatisfy(\.isNumber)
    }

    /// Splits the ending of a file's name into its part number and the rest, such as 2 and `.flac-2.wav` for
    /// `.flac-2.part2.wav`. An ending without a number belongs to part 1.
    static func split(_ ending: some StringProtocol) -> (part: Int, rest: String) {
        var pieces = ending.split(separator: ".", omittingEmptySubsequences: false)
        for (index, piece) in pieces.enumerated() where piece.hasPrefix(word) {
            guard let part = Int(piece.dropFirst(word.count)), part > 1 else { continue }
            pieces.remove(at: index)
            return (part, pieces.joined(separator: "."))
        }
        return (1, String(ending))
    }
}
