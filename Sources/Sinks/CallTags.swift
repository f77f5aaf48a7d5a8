import CallreelCore
import Foundation

/// The call's facts in a file's own metadata, for readers who have the file without its manifest.
///
/// Values from the carrier or the caller are cleaned here. Control and format characters are removed,
/// so no value can break a terminal or a line. No value is longer than ``maximumBytes``.
struct CallTags {
    /// The most bytes of UTF-8 in a value. Longer values are cut.
    static let maximumBytes = 256
    /// The program that made the file, with its version.
    static let software = CallreelVersion.program

    /// One line for people: `Call from 447700900123 to 441632960000`.
    let title: String
    /// The start of the audio, in UTC: `2026-11-22T10:15:00Z`.
    let date: String
    /// The known facts by name, in a fixed order: `("CALL_FROM", "447700900123")`.
    let facts: [(name: String, value: String)]

    /// Collects the facts from a sink's context.
    init(_ context: SinkContext) {
        let call = context.call
        let from = call.from.map(Self.clean) ?? "", to = call.to.map(Self.clean) ?? ""
        title = "Call" + (from.isEmpty ? "" : " from \(from)") + (to.isEmpty ? "" : " to \(to)")
        date = context.startedAt.ISO8601Format()
        let known = [
            ("CALLREEL_ID", context.recordingID.description), ("CALL_FROM", from), ("CALL_TO", to),
            ("CALL_UUID", call.uuid.map(Self.clean) ?? ""),
            ("CALL_CONVERSATION", call.conversation.map(Self.clean) ?? ""),
        ]
        facts = known.filter { !$0.1.isEmpty }
    }

    /// The facts on one line, `CALLREEL_ID=63f6… CALL_FROM=447700900123`, for formats with a single comment.
    var comment: String { facts.map { "\($0.name)=\($0.value)" }.joined(separator: " ") }

    /// Removes control, format and unassigned characters, and cuts the text to ``maximumBytes`` between two characters.
    static func clean(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var bytes = 0
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: continue
            default: break
            }
            bytes += UTF8.width(scalar)
            if bytes > maximumBytes { break }
            result.append(scalar)
        }
        return String(result)
    }

    /// Replaces every character outside ASCII by a question mark, for formats that name no encoding.
    static func ascii(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.isASCII ? $0 : "?" }))
    }
}
