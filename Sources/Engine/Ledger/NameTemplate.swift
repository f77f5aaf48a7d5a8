package import CallreelCore
package import Foundation

/// A template for recording names: text with placeholders in braces, such as `{date}/{time}-{from|unknown}-{id}`.
///
/// A placeholder may list alternatives. The first alternative known for the call is used; the last may be plain text.
/// Facts from callers and carriers are cleaned before they become part of a name.
/// So no number, header or identifier can leave the recordings directory, hide a file or make a name too long for a
/// file system.
package struct NameTemplate: Sendable, Hashable {
    /// Names allowed in braces.
    package static let placeholders = facts + ["part"]
    /// Names that may have alternatives, because a fact may be unknown.
    private static let facts = ["date", "time", "id", "from", "to", "uuid", "conversation", "carrier"]
    /// Placeholder for the number of a file's part.
    static let part = PartName.placeholder
    /// Limit in bytes for the text behind the part number. The text before it has the rest of the path component.
    private static let partLimit = 60
    /// Limit in bytes for one fact of a call in a name.
    static let factLimit = 64
    /// Limit in bytes for one component of a path.
    /// File systems allow 255; the rest is for suffixes, sink names and endings.
    static let componentLimit = 180

    private enum Piece: Hashable {
        case text(String)
        /// Names of facts in the order of preference, and the text for a call without any of them.
        case fact([String], fallback: String)
    }

    /// The template's source text.
    package let text: String
    private let pieces: [Piece]

    /// Parses a template. The error names the mistake.
    package init(_ text: String) throws(DiskError) {
        self.text = text
        var pieces: [Piece] = []
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            pieces.append(.text(try Self.literal(rest[..<open])))
            guard let close = rest[open...].firstIndex(of: "}") else { throw DiskError("has a { without its }") }
            pieces.append(try Self.placeholder(rest[rest.index(after: open)..<close]))
            rest = rest[rest.index(after: close)...]
        }
        pieces.append(.text(try Self.literal(rest)))
        self.pieces = pieces
        guard text.contains(where: { $0 != "/" }), !text.hasSuffix("/") else {
            throw DiskError("does not end in a file name")
        }
        let parts = text.ranges(of: Self.part)
        guard parts.count <= 1 else { throw DiskError("has \(Self.part) more than once") }
        if let part = parts.first {
            guard !text[part.upperBound...].contains("/") else {
                throw DiskError("has \(Self.part) in a directory; it belongs to the file's name")
            }
            guard text.lastPathComponent.replacing(Self.part, with: "").contains(where: { $0.isLetter || $0.isNumber })
            else {
                throw DiskError(
                    "has only \(Self.part), which the manifest does not have; use for example {id}-\(Self.part)")
            }
        }
        for part in text.split(separator: "/", omittingEmptySubsequences: false) {
            guard !part.isEmpty else { throw DiskError("has an empty part in its path") }
            guard !part.hasPrefix(".") else {
                throw DiskError("has a part that begins with a dot, which would be hidden")
            }
        }
    }

    private static func literal(_ text: Substring) throws(DiskError) -> String {
        guard !text.contains("}") else { throw DiskError("has a } without its {") }
        if let bad = text.first(where: { !isSafe($0) && $0 != "/" && $0 != " " }) {
            throw DiskError("contains \"\(bad)\"; use letters, digits, spaces and - _ . + @ / and placeholders")
        }
        return String(text)
    }

    private static func placeholder(_ text: Substring) throws(DiskError) -> Piece {
        if "{\(text)}" == part { return .text(part) }
        var names = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        let list = placeholders.joined(separator: ", ")
        guard let first = names.first, facts.contains(first) else {
            if names.first == "part" {
                throw DiskError("has alternatives in {\(text)}, but the number of a part is always known")
            }
            let near = names.first?.nearest(in: placeholders).map { "; did you mean {\($0)}?" } ?? ""
            throw DiskError("has the unknown placeholder {\(text)}; known are \(list)\(near)")
        }
        var fallback = "unknown"
        if let last = names.last, !facts.contains(last) {
            fallback = try literal(last[...])
            guard !fallback.isEmpty, !fallback.contains("/") else {
                throw DiskError(
                    "has the fall-back \"\(fallback)\" in {\(text)}; it cannot be empty or contain a /")
            }
            names.removeLast()
        }
        if let unknown = names.first(where: { !facts.contains($0) }) {
            throw DiskError(
                "has the unknown placeholder \"\(unknown)\" in {\(text)}; only the last alternative may be text")
        }
        return .fact(names, fallback: fallback)
    }

    /// Returns the name for a call: a relative path without an ending, in which every component is safe.
    ///
    /// The name has neither the part number nor the mark before it.
    /// If the number begins the name, the marks behind it are left out instead.
    package func name(id: RecordingID, call: CallFacts, startedAt: Date) -> String {
        let (before, after) = halves(id, call, startedAt)
        guard let after else { return before }
        let path = before.lastIndex(of: "/").map { String(before[...$0]) } ?? ""
        let beginning = before.dropFirst(path.count)
        let isMark: (Character) -> Bool = { "-_.+@ ".contains($0) }
        let hasMark = beginning.last.map(isMark) == true
        let last =
            beginning.isEmpty ? String(after.drop(while: isMark)) : (hasMark ? beginning.dropLast() : beginning) + after
        // Nothing but marks is left where a fact has nothing else, such as a caller called "-".
        return path + Self.component(last.isEmpty ? id.short : last)
    }

    /// Returns the name for a call's files, with `{part}` in place of the number; nil if the template has no number.
    package func partName(id: RecordingID, call: CallFacts, startedAt: Date) -> String? {
        let (before, after) = halves(id, call, startedAt)
        return after.map { before + Self.part + $0 }
    }

    /// Returns the texts before and behind the part number. The second text is nil if the template has no number.
    private func halves(_ id: RecordingID, _ call: CallFacts, _ startedAt: Date) -> (before: String, after: String?) {
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
        let path = filled.split(separator: "/").map(String.init)
        guard let last = path.last, let mark = last.range(of: Self.part) else {
            return (path.map { Self.component($0) }.joined(separator: "/"), nil)
        }
        let after = String(last[mark.upperBound...].prefix(Self.partLimit))
        let before = String(last[..<mark.lowerBound])
        let beginning = before.isEmpty ? "" : Self.component(before, limit: Self.componentLimit - Self.partLimit)
        return ((path.dropLast().map { Self.component($0) } + [beginning]).joined(separator: "/"), after)
    }

    /// Replaces each character of a fact that is unsafe in a file name, and cuts the fact at ``factLimit`` bytes.
    static func clean(_ fact: String) -> String {
        var cleaned = ""
        for character in fact {
            if cleaned.utf8.count >= factLimit { break }
            cleaned.append(isSafe(character) ? character : "_")
        }
        return cleaned
    }

    /// Returns a path component that is not hidden, not `..` and not too long.
    private static func component(_ part: String, limit: Int = componentLimit) -> String {
        let visible = part.hasPrefix(".") ? "_" + part.dropFirst() : part
        return String(visible.prefix(limit))
    }

    /// True for ASCII letters and digits, and for the marks in phone numbers and addresses.
    private static func isSafe(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || "-_.+@".contains(character))
    }
}
