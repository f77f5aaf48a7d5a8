import Foundation
import Logging

/// The parts of a log line that both formats share.
enum LogLine {
    /// The metadata of one event: the logger's, the provider's, the event's own, and its error's.
    static func metadata(_ base: Logger.Metadata, _ provider: Logger.MetadataProvider?, _ event: LogEvent) -> Logger.Metadata {
        var metadata = base
        if let provider { metadata.merge(provider.get()) { _, new in new } }
        if let own = event.metadata { metadata.merge(own) { _, new in new } }
        if let error = event.error {
            metadata["error.message"] = "\(error)"
            metadata["error.type"] = "\(String(reflecting: type(of: error)))"
        }
        return metadata
    }

    /// Whether a character could end a line, command a terminal, or turn the direction of what stands beside it: controls (C0, DEL, C1),
    /// line and paragraph separators, and Unicode's marks of direction.
    static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }

    /// A text with every unsafe character as Swift writes it in a literal, such as `\n` and `\u{1B}`.
    static func escaped(_ text: String) -> String { escaped(text) { $0.escaped(asASCII: true) } }

    /// A JSON text with every unsafe character in a string as JSON escapes it, such as `\u2028`. Its parser reads the same text.
    ///
    /// JSON lets most of these stand as they are, but some programs end a line at them.
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
