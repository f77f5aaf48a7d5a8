import Foundation

/// What a caller typed or said, in an event: the thing that a pause is made for.
extension Recording.Event {
    /// Seconds after a pause in which a carrier may still report, beside the audio, what was typed in it.
    static let lateEntry = 30.0

    /// What stands in the names of events and of their members where carriers tell what a caller entered or said, as in `audio:asr:done`,
    /// `DTMF_relay`, `speechResult` and `user_input`.
    private static let entryWords = ["dtmf", "digit", "asr", "speech", "transcri", "utterance", "input", "keypad", "keypress", "signal"]

    /// Whether the event tells what the caller typed or said.
    var tellsEntry: Bool { Self.namesEntry(type) || Self.tellsEntry(.object(data), depth: 0) }

    private static func namesEntry(_ name: String) -> Bool {
        let name = name.lowercased()
        return entryWords.contains { name.contains($0) }
    }

    private static func tellsEntry(_ value: JSONValue, depth: Int) -> Bool {
        // Deeper than any carrier's message: what nobody looks into is not kept either.
        guard depth < 16 else { return true }
        switch value {
        case .object(let members):
            return members.contains { namesEntry($0.key) && $0.value != .null || tellsEntry($0.value, depth: depth + 1) }
        case .array(let elements): return elements.contains { tellsEntry($0, depth: depth + 1) }
        case .string(let text):
            // JSON inside of a text.
            guard let first = text.first(where: { !$0.isWhitespace }), first == "{" || first == "[" else { return false }
            guard let inner = try? JSONValue(parsing: Data(text.utf8)) else { return namesEntry(text) }
            return tellsEntry(inner, depth: depth + 1)
        default: return false
        }
    }
}

extension Recording {
    /// Whether an event that comes when the call is over may tell what was typed or said while its recording was paused.
    func mayTellOfPause(_ event: Event) -> Bool {
        guard event.tellsEntry, let last = events.last(where: { $0.type == Event.paused || $0.type == Event.resumed }) else { return false }
        return last.type == Event.paused || event.at < last.at + Event.lateEntry
    }
}
