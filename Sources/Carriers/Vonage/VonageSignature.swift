import CallreelCore
import Crypto
import Foundation
import JWTKit

/// Vonage's signature on webhooks and on a call's WebSocket: a JWT in the `Authorization` header, made with
/// HMAC-SHA256.
///
/// Callreel checks the algorithm, the signature, the issuer and the time. It checks the account and the application if
/// they are configured, and the body's hash.
struct VonageSignature: Sendable {
    /// The only accepted algorithm. Callreel refuses any other in a header, `none` included.
    private static let algorithmName = "HS256"

    /// One key for each secret. All are valid, so that you can change the account's secret without losing a call.
    private let keys: [SymmetricKey]
    private let maximumAge: Double
    private let apiKey: String?
    private let applicationID: String?

    /// Makes a check from an account's signature secrets: the current one, and the old or the next one during a change.
    init(secrets: [String], options: VonageOptions) {
        keys = secrets.map { SymmetricKey(data: Array($0.utf8)) }
        maximumAge = Double(options.signatureAge)
        apiKey = options.apiKey
        applicationID = options.applicationID
    }

    /// Checks a request.
    /// - Returns: the signature as a proof that may be used once; nil if the signer gave it no identifier. It can then
    ///   be used until it expires. Vonage always gives one.
    func check(_ request: CarrierRequest) throws(CarrierRefusal) -> OneTimeProof? {
        try check(
            authorization: request.values(of: "authorization"), body: request.body, isSecure: request.isSecure,
            now: request.receivedAt)
    }

    /// Checks a request. Remembers nothing, so the same request passes again.
    /// - Parameters:
    ///   - authorization: the values of the `Authorization` header.
    ///   - body: the exact bytes of the body.
    ///   - isSecure: the request came over TLS, so the signature need not cover the body.
    @discardableResult
    func check(authorization: [String], body: some DataProtocol, isSecure: Bool, now: Date)
        throws(CarrierRefusal) -> OneTimeProof?
    {
        guard !authorization.isEmpty else { throw CarrierRefusal(.unauthorized, "the carrier's signature is missing") }
        guard authorization.count == 1, let token = authorization[0].credentials("Bearer") else {
            throw CarrierRefusal(.unauthorized, "the Authorization header is not one Bearer token")
        }
        let claims = try claims(of: token)
        guard claims.iss?.value == VonageClaims.issuer else {
            throw CarrierRefusal(.unauthorized, "the signature's issuer is not \(VonageClaims.issuer)")
        }
        guard let issued = claims.iat?.value else {
            throw CarrierRefusal(.unauthorized, "the signature does not say when it was made")
        }
        let age = now.timeIntervalSince(issued)
        guard abs(age) <= maximumAge else {
            throw CarrierRefusal(
                .unauthorized,
                age > 0 ? "the signature is older than \(Int(maximumAge)) seconds" : "the signature is from the future")
        }
        if let expiration = claims.exp?.value, expiration <= now {
            throw CarrierRefusal(.unauthorized, "the signature has expired")
        }
        if let apiKey, claims.apiKey != apiKey {
            throw CarrierRefusal(.unauthorized, "the signature is of another account")
        }
        if let applicationID, claims.applicationID != applicationID {
            throw CarrierRefusal(.unauthorized, "the signature is of another application")
        }
        try check(body, hash: claims.payloadHash, isSecure: isSecure)
        let end = issued.addingTimeInterval(maximumAge)
        return claims.jti.map { OneTimeProof(identifier: $0, end: min(end, claims.exp?.value ?? end)) }
    }

    private func check(_ body: some DataProtocol, hash: String?, isSecure: Bool) throws(CarrierRefusal) {
        guard let hash else {
            if body.isEmpty || isSecure { return }
            throw CarrierRefusal(
                .unauthorized, "the signature does not cover the body, which it must where there is no TLS")
        }
        guard hash.lowercased().isSameSecret(as: Self.hash(body)) else {
            throw CarrierRefusal(.unauthorized, "the body is not the one that was signed")
        }
    }

    /// Returns a token's claims after verifying its signature.
    private func claims(of token: String) throws(CarrierRefusal) -> VonageClaims {
        let bytes = Array(token.utf8)
        do {
            let parsed = try DefaultJWTParser().parse(bytes, as: VonageClaims.self)
            guard parsed.header.alg == Self.algorithmName else {
                throw CarrierRefusal(.unauthorized, "the signature is not made with \(Self.algorithmName)")
            }
            // The parser has found three parts. The last is the signature of the text before it.
            let signed = bytes[..<(bytes.lastIndex(of: UInt8(ascii: ".")) ?? 0)]
            let isRight = keys.contains {
                HMAC<SHA256>.isValidAuthenticationCode(parsed.signature, authenticating: signed, using: $0)
            }
            guard isRight else {
                throw CarrierRefusal(.unauthorized, "the signature is wrong")
            }
            return parsed.payload
        } catch let error as CarrierRefusal {
            throw error
        } catch {
            // The library's message may contain the token.
            throw CarrierRefusal(.unauthorized, "the Bearer token is not a JSON Web Token")
        }
    }

    /// Returns the SHA-256 of a body in hexadecimal.
    static func hash(_ body: some DataProtocol) -> String {
        SHA256.hash(data: body).map { String(format: "%02x", $0) }.joined()
    }
}
