package import Foundation

// The JSON text of a call's account.
extension CallAccount {
    /// Returns the JSON text.
    package func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(date.manifestText)
        }
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// Reads an account and checks its values.
    package init(json: Data) throws {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let date = Date(manifestText: text) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "\"\(text)\" is not a date")
            }
            return date
        }
        let account = Result { try decoder.decode(Self.self, from: json) }
        // Another version may have another layout. Its number explains more than the first missing key.
        let version = try (try? account.get().version) ?? decoder.decode(AccountVersion.self, from: json).version
        guard version == Self.currentVersion else {
            throw ManifestError("manifest version \(version) is not \(Self.currentVersion)")
        }
        self = try account.get()
        try check()
    }
}

/// The one key common to all versions.
private struct AccountVersion: Decodable { let version: Int }

extension Date {
    private static let manifestStyle = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    /// The date in UTC with milliseconds, such as `2026-11-22T10:15:00.250Z` (ISO 8601).
    package var manifestText: String {
        // The style cuts off all digits after the milliseconds, and a binary fraction is often slightly too small.
        // Without rounding, a date would lose a millisecond each time that it is read and written.
        (self + 0.0005).formatted(Self.manifestStyle)
    }

    /// Reads a date in the form of ``manifestText``; nil for other texts.
    package init?(manifestText: String) {
        guard let date = try? Self.manifestStyle.parse(manifestText) else { return nil }
        self = date
    }
}
