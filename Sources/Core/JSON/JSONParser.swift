/// Reads JSON text (RFC 8259), strictly and in time that grows with its length alone.
///
/// Texts come from the network, and Callreel reads them on an event loop. Foundation's decoder takes minutes for 64 KB
/// of nested arrays, because it tries each value as each type. It also does not give the place of a mistake.
struct JSONParser {
    /// The greatest depth of nested arrays and objects. No carrier and no configuration comes near it.
    static let depthLimit = 64

    private let bytes: [UInt8]
    private let isLenient: Bool
    private var position = 0

    /// Prepares to read a text.
    /// - Parameter isLenient: true accepts common deviations. Of two equal keys, the last one counts. A number unknown
    ///   to JSON becomes a string of the same characters. Strings may hold control characters.
    init(_ bytes: [UInt8], isLenient: Bool = false) {
        self.bytes = bytes
        self.isLenient = isLenient
    }

    /// Reads the text's one value. Any further text is an error.
    mutating func parse() throws(JSONSyntaxError) -> JSONValue {
        // A byte order mark is not part of the text (RFC 8259, section 8.1).
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw error("unexpected text after the value") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        skipSpace()
        guard depth <= Self.depthLimit else {
            throw error("more than \(Self.depthLimit) nested arrays and objects")
        }
        guard position < bytes.count else { throw error("unexpected end of the text") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case _ where isLenient && Self.numberBytes.contains(bytes[position]): return try lenientNumber()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default:
            for word in ["NaN", "Infinity"] where isLenient && bytes[position...].starts(with: word.utf8) {
                return try lenientNumber()
            }
            for (word, value) in [("true", JSONValue.boolean(true)), ("false", .boolean(false)), ("null", .null)]
            where bytes[position...].starts(with: word.utf8) {
                position += word.utf8.count
                return value
            }
            throw error("unexpected \(here)")
        }
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        var members: [String: JSONValue] = [:]
        position += 1
        skipSpace()
        if take("}") { return .object(members) }
        while true {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw error("expected a key in double quotes, found \(here)")
            }
            let start = position
            let key = try string()
            skipSpace()
            guard take(":") else { throw error("expected a colon after \"\(key)\", found \(here)") }
            let value = try value(depth: depth + 1)
            // RFC 8259, section 4 does not say which of two equal names counts. A strict text must not have them.
            guard members.updateValue(value, forKey: key) == nil || isLenient else {
                position = start
                throw error("duplicate key \"\(key)\"")
            }
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw error("expected a comma or }, found \(here)") }
        }
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        var elements: [JSONValue] = []
        position += 1
        skipSpace()
        if take("]") { return .array(elements) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return .array(elements) }
            guard take(",") else { throw error("expected a comma or ], found \(here)") }
        }
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        position += 1
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw error("text that is not UTF-8")
                }
                position += 1
                return string
            case UInt8(ascii: "\\"):
                position += 1
                try escape(&text)
            case 0..<0x20 where !isLenient:
                throw error(
                    "a control character in text; write \\n or \\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))"
                )
            default:
                text.append(byte)
                position += 1
            }
        }
        throw error("text without a closing quote")
    }

    /// Reads the characters after a backslash (RFC 8259, section 7).
    private mutating func escape(_ text: inout [UInt8]) throws(JSONSyntaxError) {
        guard position < bytes.count else { throw error("text without a closing quote") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "u"):
            var units = [try unit()]
            if UTF16.isLeadSurrogate(units[0]), bytes[position...].starts(with: "\\u".utf8) {
                position += 2
                units.append(try unit())
            }
            // Half a surrogate pair is no character. It becomes the replacement character, as in other readers.
            text += String(decoding: units, as: UTF16.self).utf8
        default:
            position -= 1
            throw error("unknown escape: \\ before \(here)")
        }
    }

    private mutating func unit() throws(JSONSyntaxError) -> UInt16 {
        let end = min(position + 4, bytes.count)
        guard end - position == 4, let unit = UInt16(String(decoding: bytes[position..<end], as: UTF8.self), radix: 16),
            !"+-".utf8.contains(bytes[position])
        else { throw error("\\u without four hexadecimal digits") }
        position = end
        return unit
    }

    private mutating func number() throws(JSONSyntaxError) -> JSONValue {
        let start = position
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        let whole = digits()
        guard whole > 0 else { throw error("expected a digit, found \(here)") }
        if whole > 1, bytes[position - whole] == UInt8(ascii: "0") { throw error("a number with a leading zero") }
        var isWhole = true
        if take(".") {
            isWhole = false
            guard digits() > 0 else { throw error("expected a digit after the point, found \(here)") }
        }
        if take("e") || take("E") {
            isWhole = false
            if !take("+") { _ = take("-") }
            guard digits() > 0 else { throw error("expected a digit in the exponent, found \(here)") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let integer = Int(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else { throw error("the number \(text) is too large") }
        return .number(number)
    }

    /// The first bytes of numbers, in JSON or elsewhere.
    private static let numberBytes = Set("+-.0123456789".utf8)

    /// Reads a number of any form. A telephone number with a leading zero or plus keeps all of its characters as a
    /// string. So does a number with more digits than an integer has.
    private mutating func lenientNumber() throws(JSONSyntaxError) -> JSONValue {
        let rest = bytes[position...].prefix { $0 > 0x20 && !",]}\"".utf8.contains($0) }
        let text = String(decoding: rest, as: UTF8.self)
        let isNumber = rest.allSatisfy { Self.numberBytes.contains($0) || "eE".utf8.contains($0) }
        guard isNumber || ["NaN", "Infinity"].contains(text.drop { $0 == "-" || $0 == "+" }) else {
            throw error("unexpected \(here)")
        }
        position += rest.count
        var strict = JSONParser(Array(rest))
        guard let number = try? strict.number(), strict.position == rest.count else { return .string(text) }
        // A floating-point number would keep only the first digits of a number that is too long for an integer.
        if case .number = number, !rest.contains(where: { ".eE".utf8.contains($0) }) { return .string(text) }
        return number
    }

    private mutating func digits() -> Int {
        let start = position
        while position < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[position] { position += 1 }
        return position - start
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    /// The character at the current position, for messages.
    private var here: String {
        guard position < bytes.count else { return "the end of the text" }
        let byte = bytes[position]
        return 0x21..<0x7F ~= byte ? "\"\(Character(Unicode.Scalar(byte)))\"" : "the byte \(byte)"
    }

    private func error(_ reason: String) -> JSONSyntaxError {
        let before = bytes[..<min(position, bytes.count)]
        let line = before.count { $0 == 0x0A } + 1
        let column = before.reversed().prefix { $0 != 0x0A }.count + 1
        return JSONSyntaxError(reason: "\(reason) at line \(line), column \(column)")
    }
}
