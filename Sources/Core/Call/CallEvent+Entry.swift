import Foundation

/// Finds events about input typed or spoken by the caller. Callreel must not keep such events from a pause.
extension CallEvent {
    /// Seconds after a pause in which a carrier may still report, beside the audio, input typed during it.
    package static let lateEntry = 30.0

    /// Words in the names of events and members about a caller's input,
    /// such as `audio:asr:done`, `DTMF_relay`, `speechResult` and `user_input`.
    private static let entryWords = [
        "dtmf", "digit", "asr", "speech", "transcri", "utterance", "input", "keypad", "keypress", "signal",
    ]

    /// True when the event reports input typed or spoken by the caller.
    package var tellsEntry: Bool { Self.namesEntry(type) || Self.tellsEntry(.object(data), depth: 0) }

    private static func namesEntry(_ name: String) -> Bool {
        let name = name.lowercased()
        return entryWords.contains { name.contains($0) }
    }

    private static func tellsEntry(_ value: JSONValue, depth: Int) -> Bool {
        // Deeper than any carrier's message. Callreel does not look further, so it treats the content as input.
        guard depth < 16 else { return true }
        switch value {
        case .object(let members):
            return members.contains {
                namesEntry($0.key) && $0.value != .null || tellsEntry($0.value, depth: depth + 1)
            }
        case .array(let elements): return elements.contains { tellsEntry($0, depth: depth + 1) }
        case .string(let text):
            // JSON inside a string.
            guard let first = text.first(where: { !$0.isWhitespace }), first == "{" || first == "[" else {
                return false
            }
            guard let inner = try? JSONValue(parsing: Data(text.utf8)) else { return namesEntry(text) }
            return tellsEntry(inner, depth: depth + 1)
        default: return false
        }
    }
}
