/// One proxy's entry in the header `Forwarded` (RFC 7239, section 4): its parameters by their lower-case names.
struct ForwardedElement: Hashable, Sendable {
    private var parameters: [String: String] = [:]

    /// The value of a parameter such as `for`, without quotes.
    subscript(name: String) -> String? { parameters[name] }

    /// Parses the values of all header lines, in their order. Skips text that is not a parameter.
    static func read(_ values: [String]) -> [ForwardedElement] {
        split(values.joined(separator: ","), at: ",").map { text in
            var element = ForwardedElement()
            for pair in split(text, at: ";") {
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2 else { continue }
                element.parameters[trimmed(parts[0]).lowercased()] = unquoted(trimmed(parts[1]))
            }
            return element
        }
    }

    /// Splits a text at the separators outside quotes.
    private static func split(_ text: String, at separator: Character) -> [String] {
        var parts = [""], isQuoted = false, isEscaped = false
        for character in text {
            if character == separator, !isQuoted {
                parts.append("")
                continue
            }
            parts[parts.count - 1].append(character)
            if character == "\"", !isEscaped { isQuoted.toggle() }
            isEscaped = isQuoted && character == "\\" && !isEscaped
        }
        return parts
    }

    /// Returns a quoted string's content (RFC 9110, section 5.6.4). Returns any other text unchanged.
    private static func unquoted(_ text: String) -> String {
        guard text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else { return text }
        var content = "", isEscaped = false
        for character in text.dropFirst().dropLast() {
            isEscaped = character == "\\" && !isEscaped
            if !isEscaped { content.append(character) }
        }
        return content
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
