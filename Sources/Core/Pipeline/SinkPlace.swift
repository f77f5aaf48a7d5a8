import Synchronization

/// A directory where one sink of one call may write: its files, part after part.
final class SinkPlace: Sendable {
    /// The directory of the call's files there, for messages.
    let directory: String
    /// The beginning of the names of the first part's files.
    private let stem: String
    /// Makes the context of a part from its stem.
    private let makeContext: @Sendable (String) -> SinkContext
    /// The parts so far, those that left no file aside, and where each begins.
    private let parts = Mutex<[(context: SinkContext, start: Int)]>([])

    /// Describes a place; nothing is made yet.
    init(directory: String, stem: String, makeContext: @escaping @Sendable (_ stem: String) -> SinkContext) {
        self.directory = directory
        self.stem = stem
        self.makeContext = makeContext
    }

    /// The context of the next part, which begins at a frame of the call. One that left no file gives its number to it.
    func nextPart(start: Int) -> SinkContext {
        parts.withLock { parts in
            if let last = parts.last, last.context.createdFiles.isEmpty { parts.removeLast() }
            let context = makeContext(PartName.stem(stem, part: parts.count + 1))
            parts.append((context, start))
            return context
        }
    }

    /// All files that were made here so far. How many frames each has is not known, and several files of one part begin together.
    var files: [CallFile] {
        parts.withLock { $0 }.flatMap { part in
            part.context.createdFiles.map { CallFile(root: part.context.root, name: $0, start: part.start) }
        }
    }
}

/// How the files of a sink's parts are called while the call runs: `call.wav`, `call.part2.wav`, `call.part3.wav`.
enum PartName {
    /// Stands before the number of a part.
    private static let word = "part"

    /// The beginning of the names of a part's files.
    static func stem(_ stem: String, part: Int) -> String { part == 1 ? stem : "\(stem).\(word)\(part)" }

    /// Whether a word, in small letters, is what marks a part, such as `part2`.
    static func isMark(_ word: String) -> Bool {
        let number = word.dropFirst(Self.word.count)
        return word.hasPrefix(Self.word) && !number.isEmpty && number.allSatisfy(\.isNumber)
    }

    /// Takes the number of its part out of the ending of a file's name, such as 2 out of `.flac-2.part2.wav`. The first part has none.
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
