/// Names for the files of a sink's parts while the call runs: `call.wav`, `call.part2.wav`, `call.part3.wav`.
package enum PartName {
    /// The placeholder for the number in a template of names.
    package static let placeholder = "{part}"
    /// The word before the number of a part.
    private static let word = "part"

    /// Returns the beginning of the file names of a part.
    package static func stem(_ stem: String, part: Int) -> String { part == 1 ? stem : "\(stem).\(word)\(part)" }

    /// Returns true if a lower-case word marks a part, as `part2` does.
    package static func isMark(_ word: String) -> Bool {
        let number = word.dropFirst(Self.word.count)
        return word.hasPrefix(Self.word) && !number.isEmpty && number.allSatisfy(\.isNumber)
    }

    /// Splits the ending of a file's name into its part number and the rest, such as 2 and `.flac-2.wav` for
    /// `.flac-2.part2.wav`. An ending without a number belongs to part 1.
    package static func split(_ ending: some StringProtocol) -> (part: Int, rest: String) {
        var pieces = ending.split(separator: ".", omittingEmptySubsequences: false)
        for (index, piece) in pieces.enumerated() where piece.hasPrefix(word) {
            guard let part = Int(piece.dropFirst(word.count)), part > 1 else { continue }
            pieces.remove(at: index)
            return (part, pieces.joined(separator: "."))
        }
        return (1, String(ending))
    }
}
