/// A text in which `*` stands for any characters, even none. Letters match in upper and lower case.
struct TextPattern: Hashable, Sendable {
    /// Largest length of a pattern, in bytes.
    static let limit = 256

    /// The pattern as written.
    let text: String
    /// The text before, between and behind the stars.
    private let pieces: [[UInt8]]

    /// Makes a pattern.
    /// - Parameter ignoresPlus: true drops a leading `+`, for texts that are compared without theirs.
    init(_ text: String, ignoresPlus: Bool = false) {
        self.text = text
        let compared = ignoresPlus && text.hasPrefix("+") ? text.dropFirst() : text[...]
        pieces = compared.lowercased().utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
            .map(Array.init)
    }

    /// The text, if it has no star; otherwise nil.
    var plain: String? { pieces.count == 1 ? text : nil }

    /// Returns true if the whole text matches. Takes time in proportion to the text.
    func matches(_ value: String) -> Bool {
        var rest = Array(value.lowercased().utf8)[...]
        guard pieces.count > 1 else { return rest.elementsEqual(pieces[0]) }
        guard rest.starts(with: pieces[0]) else { return false }
        rest = rest.dropFirst(pieces[0].count)
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            // The first place is the best: it leaves the most for the pieces behind it.
            guard let place = rest.firstIndex(of: piece) else { return false }
            rest = rest[(place + piece.count)...]
        }
        let last = pieces[pieces.count - 1]
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }
}

extension ArraySlice<UInt8> {
    /// Returns the first place of a piece that is not empty.
    fileprivate func firstIndex(of piece: [UInt8]) -> Index? {
        guard count >= piece.count else { return nil }
        return (startIndex...(endIndex - piece.count)).first { self[$0] == piece[0] && self[$0...].starts(with: piece) }
    }
}
