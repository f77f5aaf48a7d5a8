public import Foundation

/// How a recording is named: text with placeholders in braces, such as `{date}/{time}-{from|unknown}-{id}`.
///
/// A placeholder may give alternatives: the first one that is known for the call is used, and the last may be plain
/// text. What a caller or a carrier says is cleaned before it becomes part of a name, so that no number, header or
/// identifier can leave the recordings directory, hide a file or make a name too long for a file system.
public struct NameTemplate: Sendable, Hashable {
    /// What may stand in braces.
    public static let placeholders = ["date", "time", "id", "from", "to", "uuid", "conversation", "carrier"]
    /// Bytes that one fact of a call may take in a name.
    static let factLimit = 64
    /// Bytes of one part of a path. File systems allow 255; the rest is for suffixes, sink names and endings.
    static let componentLimit = 180

    private enum Piece: Hashable {
        case text(String)
        /// Names of facts in the order of preference, and the text to use when none is known.
        case fact([String], fallback: String)
    }

    /// The template as it was written.
    public let text: String
    private let pieces: [Piece]

    /// Reads a template; the error says what is wrong with it.
    public init(_ text: String) throws(RecordingError) {
        self.text = text
        var pieces: [Piece] = []
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            pieces.append(.text(try Self.literal(rest[..<open])))
            guard let close = rest[open...].firstIndex(of: "}") else { throw RecordingError("has a { without its }") }
            pieces.append(try Self.placeholder(rest[rest.index(after: open)..<close]))
            rest = rest[rest.index(after: close)...]
        }
        pieces.append(.text(try Self.literal(rest)))
        self.pieces = pieces
        guard text.contains(where: { $0 != "/" }), !text.hasSuffix("/") else { throw RecordingError("does not end in a file name") }
        for part in text.split(separator: "/", omittingEmptySubsequences: false) {
            guard !part.isEmpty else { throw RecordingError("has an empty part in its path") }
            guard !part.hasPrefix(".") else { throw RecordingError("has a part that begins with a dot, which would be hidden") }
        }
    }

    private static func literal(_ text: Substring) throws(RecordingError) -> String {
        guard !text.contains("}") else { throw RecordingError("has a } without its {") }
        if let bad = text.first(where: { !isSafe($0) && $0 != "/" && $0 != " " }) {
            throw RecordingError("contains \"\(bad)\"; use letters, digits, spaces and - _ . + @ / and placeholders")
        }
        return String(text)
    }

    private static func placeholder(_ text: Substring) throws(RecordingError) -> Piece {
        var names = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        let list = placeholders.joined(separator: ", ")
        guard let first = names.first, placeholders.contains(first) else {
            let near = names.first?.nearest(in: placeholders).map { "; did you mean {\($0)}?" } ?? ""
            throw RecordingError("has the unknown placeholder {\(text)}; known are \(list)\(near)")
        }
        var fallback = "unknown"
        if let last = names.last, !placeholders.contains(last) {
            fallback = try literal(last[...])
            guard !fallback.isEmpty, !fallback.contains("/") else {
                throw RecordingError("has the fall-back \"\(fallback)\" in {\(text)}; it cannot be empty or contain a /")
            }
            names.removeLast()
        }
        if let unknown = names.first(where: { !placeholders.contains($0) }) {
            throw RecordingError("has the unknown placeholder \"\(unknown)\" in {\(text)}; only the last alternative may be text")
        }
        return .fact(names, fallback: fallback)
    }

    /// The name for a call: a relative path without an ending, every part of which is safe.
    public func name(id: RecordingID, call: CallFacts, startedAt: Date) -> String {
        let utc = Date.ISO8601FormatStyle(timeZone: .gmt)
        let facts: [String: String?] = [
            "date": startedAt.formatted(utc.year().month().day()),
            "time": startedAt.formatted(utc.time(includingFractionalSeconds: false)).filter { $0 != ":" } + "Z",
            "id": id.short, "from": call.from, "to": call.to, "uuid": call.uuid, "conversation": call.conversation,
            "carrier": call.carrier,
        ]
        let filled = pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .fact(let names, let fallback):
                names.lazy.compactMap { facts[$0] ?? nil }.map(Self.clean).first { !$0.isEmpty } ?? fallback
            }
        }.joined()
        return filled.split(separator: "/").map(Self.component).joined(separator: "/")
    }

    /// A fact with everything replaced that a file name should not have.
    static func clean(_ fact: String) -> String {
        var cleaned = ""
        for character in fact {
            if cleaned.utf8.count >= factLimit { break }
            cleaned.append(isSafe(character) ? character : "_")
        }
        return cleaned
    }

    /// A part of the path that is not hidden, not `..`, and not too long.
    private static func component(_ part: Substring) -> String {
        let visible = part.hasPrefix(".") ? "_" + part.dropFirst() : String(part)
        return String(visible.prefix(componentLimit))
    }

    /// Letters and digits of ASCII, and the marks that numbers and addresses use.
    private static func isSafe(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || "-_.+@".contains(character))
    }
}
