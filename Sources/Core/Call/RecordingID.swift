/// A recording's identifier: 128 random bits, written as 32 hexadecimal digits.
public struct RecordingID: Hashable, Sendable, Codable, CustomStringConvertible {
    /// All 32 digits.
    public let description: String

    /// The first eight digits, for names that people read. Other means keep those names unique.
    public var short: String { String(description.prefix(8)) }

    /// Makes a new identifier.
    public init() {
        var generator = SystemRandomNumberGenerator()
        description = (0..<2).map { _ in
            let digits = String(UInt64.random(in: .min ... .max, using: &generator), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// Reads an identifier. Returns nil unless the text is 32 lower-case hexadecimal digits.
    public init?(_ text: String) {
        guard text.utf8.count == 32,
            text.utf8.allSatisfy({
                UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
            })
        else { return nil }
        description = text
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = RecordingID(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is not a recording's id")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
