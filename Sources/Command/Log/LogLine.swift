import Foundation
import Logging

/// The parts of a log line shared by both formats.
enum LogLine {
    /// Merges the metadata of one event: the logger's, the provider's, the event's own, and its error's.
    static func metadata(_ base: Logger.Metadata, _ provider: Logger.MetadataProvider?, _ event: LogEvent)
        -> Logger.Metadata
    {
        var metadata = base
        if let provider { metadata.merge(provider.get()) { _, new in new } }
        if let own = event.metadata { metadata.merge(own) { _, new in new } }
        if let error = event.error {
            metadata["error.message"] = "\(error)"
            metadata["error.type"] = "\(String(reflecting: type(of: error)))"
        }
        return metadata
    }

    /// Returns true for a character that could end a line, control a terminal, or reverse the direction of text.
    ///
    /// These are controls (C0, DEL, C1), line and paragraph separators, and Unicode's direction marks.
    static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }

    /// Escapes every unsafe character as in a Swift literal, such as `\n` and `\u{1B}`.
    static func escaped(_ text: String) -> String { escaped(text) { $0.escaped(asASCII: true) } }

    /// Escapes every unsafe character in JSON text as JSON does, such as `\u2028`. A JSON parser reads the same text.
    ///
    /// JSON allows most of these characters unescaped, but some programs end a line at them.
    static func escaped(json text: String) -> String {
        escaped(text) { scalar in
            let digits = String(scalar.value, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
    }

    private static func escaped(_ text: String, _ escape: (Unicode.Scalar) -> String) -> String {
        guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isUnsafe(scalar) { result += escape(scalar) } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }
}
