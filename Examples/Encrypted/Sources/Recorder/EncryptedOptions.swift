import CallreelCore

/// Options of an `{"type": "encrypted"}` entry.
struct EncryptedOptions: Configurable {
    /// A key whose secret key nobody has: the base point of Curve25519.
    var publicKey = "09" + String(repeating: "00", count: 31)

    static let fields: [Field<Self>] = [
        Field.string(
            "publicKey", \.publicKey, type: "64 hexadecimal digits",
            "The public key of the people who may hear the calls. Their secret key never comes near this machine."
        ) { bytes(ofKey: $0) == nil ? "is not a key of 64 hexadecimal digits" : nil }
        .required()
    ]

    /// The bytes of a key; nil if the text is none.
    static func bytes(ofKey text: String) -> [UInt8]? {
        let digits = text.compactMap(\.hexDigitValue)
        guard text.count == 64, digits.count == 64 else { return nil }
        return stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
