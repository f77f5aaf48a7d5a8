import CallreelCore
import Foundation

/// An error in a command.
struct CommandError: Error {
    /// The index of the argument, where 0 is the program. Nil means the whole command.
    let index: Int?
    let reason: String
}

/// A program and its arguments, with placeholders in braces for the facts of a call.
///
/// A placeholder is letters in braces and nothing else, so `awk '{print $1}'` and a shell's `${NAME}` stay
/// unchanged. `{{` stands for one brace. Facts from callers are cleaned: a fact cannot become another argument or
/// an option, or leave a directory.
struct CommandTemplate {
    /// The known placeholders.
    static let placeholders = [
        "id", "from", "to", "uuid", "conversation", "carrier", "date", "time", "sampleRate", "channels", "output",
    ]
    /// The most characters of one fact.
    private static let factLimit = 64

    /// The program: a name to look up in `PATH`, or a path with a slash.
    let program: String
    private let arguments: [[Piece]]

    private enum Piece: Equatable {
        case text(String)
        case fact(String)
    }

    /// Parses a command.
    init(_ words: [String]) throws(CommandError) {
        guard let program = words.first, !program.isEmpty else {
            throw CommandError(index: nil, reason: "names no program; write a list such as [\"wc\", \"-c\"]")
        }
        self.program = program
        var all: [[Piece]] = []
        for (index, word) in words.enumerated() {
            if word.contains("\0") {
                throw CommandError(index: index, reason: "contains a zero byte, which an argument cannot have")
            }
            do throws(UnknownPlaceholder) {
                all.append(try Self.pieces(word))
            } catch {
                let near = error.name.nearest(in: Self.placeholders).map { "; did you mean {\($0)}?" } ?? ""
                let list = Self.placeholders.joined(separator: ", ")
                throw CommandError(
                    index: index,
                    reason: "\"\(word)\" has the unknown placeholder {\(error.name)}; known are \(list)\(near)")
            }
        }
        guard all[0] == [.text(program)] else {
            throw CommandError(
                index: 0, reason: "\"\(program)\" has a placeholder; name the program itself")
        }
        arguments = Array(all.dropFirst())
    }

    /// True when the command names a file for the program to write.
    var hasOutput: Bool { arguments.joined().contains(.fact("output")) }

    /// Returns the arguments for a call.
    func arguments(_ context: SinkContext, output: String?) -> [String] {
        let utc = Date.ISO8601FormatStyle(timeZone: .gmt), call = context.call
        let facts: [String: String] = [
            "id": context.recordingID.description, "from": Self.clean(call.from), "to": Self.clean(call.to),
            "uuid": Self.clean(call.uuid),
            "conversation": Self.clean(call.conversation), "carrier": Self.clean(call.carrier),
            "date": context.startedAt.formatted(utc.year().month().day()),
            "time": context.startedAt.formatted(utc.time(includingFractionalSeconds: false)).filter { $0 != ":" } + "Z",
            "sampleRate": "\(context.format.sampleRate)", "channels": "\(context.format.channels)",
            "output": output ?? "",
        ]
        return arguments.map { pieces in
            pieces.map { piece in
                switch piece {
                case .text(let text): text
                case .fact(let name): facts[name] ?? ""
                }
            }.joined()
        }
    }

    private struct UnknownPlaceholder: Error { let name: String }

    private static func pieces(_ word: String) throws(UnknownPlaceholder) -> [Piece] {
        var pieces: [Piece] = [], text = "", rest = word[...]
        while let character = rest.first {
            if rest.hasPrefix("{{") {
                text.append("{")
                rest = rest.dropFirst(2)
                continue
            }
            // A shell's ${NAME}, written as $${NAME} in the configuration, is left to the program.
            if character == "{", text.last != "$", let close = rest.firstIndex(of: "}") {
                let name = rest[rest.index(after: rest.startIndex)..<close]
                if !name.isEmpty, name.utf8.allSatisfy({ UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20 }) {
                    guard placeholders.contains(String(name)) else { throw UnknownPlaceholder(name: String(name)) }
                    if !text.isEmpty { pieces.append(.text(text)) }
                    pieces.append(.fact(String(name)))
                    text = ""
                    rest = rest[rest.index(after: close)...]
                    continue
                }
            }
            text.append(character)
            rest = rest.dropFirst()
        }
        if !text.isEmpty || pieces.isEmpty { pieces.append(.text(text)) }
        return pieces
    }

    /// Reduces a fact from a caller or carrier to letters, digits and the marks of numbers and addresses,
    /// as in recording names. The result never begins with a dash, which would make it an option.
    private static func clean(_ fact: String?) -> String {
        var cleaned = ""
        for character in fact ?? "" {
            if cleaned.utf8.count >= factLimit { break }
            let isPlain = character.isASCII && (character.isLetter || character.isNumber || "_.+@".contains(character))
            cleaned.append(isPlain || (character == "-" && !cleaned.isEmpty) ? character : "_")
        }
        return cleaned.isEmpty ? "unknown" : cleaned
    }
}
