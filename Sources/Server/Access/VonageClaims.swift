import JWTKit

/// The claims that Vonage signs with an account's signature secret (JWT, RFC 7519).
struct VonageClaims: JWTPayload {
    /// The only valid issuer.
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

    /// Checks nothing. ``VonageSignature`` knows the expected values and checks the claims.
    func verify(using algorithm: some JWTAlgorithm) {}

    /// Returns the signing key. A secret shorter than 32 bytes is padded with zeros, because the library requires 32
    /// bytes.
    /// HMAC pads with the same zeros (RFC 2104, section 2), so the key stays the same.
    static func key(_ secret: String) -> HMACKey {
        var bytes = Array(secret.utf8)
        bytes.append(contentsOf: repeatElement(0, count: max(0, 32 - bytes.count)))
        return HMACKey(from: bytes)
    }
}
