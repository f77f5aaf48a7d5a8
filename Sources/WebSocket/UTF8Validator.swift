/// Checks text for valid UTF-8 as it arrives, so that an invalid byte is found at once and not at the message's end.
///
/// The allowed ranges are those of RFC 3629, section 4.
@usableFromInline struct UTF8Validator: Sendable {
    /// Continuation bytes that the current character still needs.
    private var missing = 0
    /// The range of the next continuation byte.
    private var allowed: ClosedRange<UInt8> = 0x80...0xBF

    @usableFromInline init() {}

    /// The text so far ends with a whole character.
    var isComplete: Bool { missing == 0 }

    /// Checks further bytes. Returns false at the first byte that is invalid in its place.
    mutating func accept(_ bytes: some Sequence<UInt8>) -> Bool {
        for byte in bytes {
            if missing > 0 {
                guard allowed.contains(byte) else { return false }
                missing -= 1
                allowed = 0x80...0xBF
                continue
            }
            switch byte {
            case 0x00...0x7F: break
            case 0xC2...0xDF: missing = 1
            case 0xE0: (missing, allowed) = (2, 0xA0...0xBF)
            case 0xED: (missing, allowed) = (2, 0x80...0x9F)
            case 0xE1...0xEF: missing = 2
            case 0xF0: (missing, allowed) = (3, 0x90...0xBF)
            case 0xF4: (missing, allowed) = (3, 0x80...0x8F)
            case 0xF1...0xF3: missing = 3
            default: return false
            }
        }
        return true
    }
}
