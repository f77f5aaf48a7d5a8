import JWTKit

/// What Vonage says under its signature, with an account's signature secret (JWT, RFC 7519).
struct VonageClaims: JWTPayload {
    /// Who signs: always this.
    static let issuer = "Vonage"

    var iss: IssuerClaim?
    var iat: IssuedAtClaim?
    var exp: ExpirationClaim?
    var jti: String?
    /// SHA-256 of the body's bytes, in hexadecimal.
    var payloadHash: String?
    var apiKey: String?
    var applicationID: String?

    enum CodingKeys: String, CodingKey {
        case iss, iat, exp, jti
        case payloadHash = "payload_hash"
        case apiKey = "api_key"
        case applicationID = "application_id"
    }

    /// Everything is checked by ``VonageSignature``, which knows what to expect.
    func verify(using algorithm: some JWTAlgorithm) {}

    /// The key that signs. A shorter secret is the same key with the zeros that HMAC puts behind it anyway (RFC 2104,
    /// section 2); the library wants to see 32 bytes.
    static func key(_ secret: String) -> HMACKey {
        var bytes = Array(secret.utf8)
        bytes.append(contentsOf: repeatElement(0, count: max(0, 32 - bytes.count)))
        return HMACKey(from: bytes)
    }
}
