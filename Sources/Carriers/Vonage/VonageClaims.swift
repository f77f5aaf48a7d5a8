package import Foundation
package import JWTKit

/// The claims that Vonage signs with an account's signature secret (JWT, RFC 7519).
package struct VonageClaims: JWTPayload {
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

    package enum CodingKeys: String, CodingKey {
        case iss, iat, exp, jti
        case payloadHash = "payload_hash"
        case apiKey = "api_key"
        case applicationID = "application_id"
    }

    /// Makes the claims of a request without a body.
    package init(issued: Date, identifier: String, apiKey: String?, applicationID: String?) {
        iss = .init(value: Self.issuer)
        iat = .init(value: issued)
        jti = identifier
        self.apiKey = apiKey
        self.applicationID = applicationID
    }

    /// Checks nothing. ``VonageSignature`` knows the expected values and checks the claims.
    package func verify(using algorithm: some JWTAlgorithm) {}
}
