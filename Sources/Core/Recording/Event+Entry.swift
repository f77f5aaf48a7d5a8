import Foundation

/// What a caller typed or said, in an event: the thing that a pause is made for.
extension Recording.Event {
    /// Seconds after a pause in which a carrier may still report, beside the audio, what was typed in it.
    static let lateEntry = 30.0

    /// Kinds of events that tell what a caller entered.
    private static let entryTypes: Set<String> = ["dtmf", "input", "asr", "speech", "transcription", "transcript"]
    /// Keys under which carriers tell what a caller entered.
    private static let entryKeys: Set<String> = ["dtmf", "digit", "digits", "speech", "transcription", "transcript", "keypress", "keypad"]

    /// Whether the event tells what the caller typed or said.
    var tellsEntry: Bool { Self.entryTypes.contains(type.lowercased()) || Self.tellsEntry(.object(data), depth: 0) }

    private static func tellsEntry(_ value: JSONValue, depth: Int) -> Bool {
        // Deeper than any carrier's message: what nobody looks into is not kept either.
        guard depth < 16 else { return true }
        switch value {
        case .object(let members):
            return members.contains { entryKeys.contains($0.key.lowercased()) && $0.value != .null || tellsEntry($0.value, depth: depth + 1) }
        case .array(let elements): return elements.contains { tellsEntry($0, depth: depth + 1) }
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
