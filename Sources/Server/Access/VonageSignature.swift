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

    /// One algorithm for each secret. All are valid, so that you can change the account's secret without losing a call.
    private let algorithms: [any JWTAlgorithm]
    private let seen = SeenSignatures()
    private let maximumAge: Double
    private let apiKey: String?
    private let applicationID: String?

    /// Makes a check from an account's signature secrets: the current one, and the old or the next one during a change.
    init(secrets: [String], configuration: Configuration.Vonage) async throws {
        var algorithms: [any JWTAlgorithm] = []
        for secret in secrets {
            algorithms.append(
                try await JWTKeyCollection().add(hmac: VonageClaims.key(secret), digestAlgorithm: .sha256).getKey())
        }
        self.algorithms = algorithms
        maximumAge = Double(configuration.signatureAge)
        apiKey = configuration.apiKey
        applicationID = configuration.applicationID
    }

    /// A valid signature.
    struct Proof: Sendable {
        /// The signature's unique id. Nil if the signer gave none; the signature can then be used until it expires.
        /// Vonage always gives one.
        let identifier: String?
        /// The signature's expiry time.
        let end: Date
    }

    /// Records the use of a signature, and returns whether it was used before.
    ///
    /// Otherwise an attacker could send an overheard request again while its signature is valid, and get a token for a
    /// call of their own.
    /// - Parameter request: the whole request.
    func use(_ proof: Proof, for request: some DataProtocol, now: Date = Date()) -> SeenSignatures.Sight {
        guard let identifier = proof.identifier else { return .new }
        return seen.note(Array(identifier.utf8), request: request, until: proof.end, now: now)
    }

    /// Checks a request. Records nothing, so the same request passes again.
    /// - Parameters:
    ///   - authorization: the values of the `Authorization` header.
    ///   - body: the exact bytes of the body.
    ///   - isSecure: the request came over TLS, so the signature need not cover the body.
    @discardableResult
    func check(authorization: [String], body: some DataProtocol, isSecure: Bool, now: Date = Date())
        throws(Unauthorized) -> Proof
    {
        guard !authorization.isEmpty else { throw Unauthorized("the carrier's signature is missing") }
        guard authorization.count == 1, let token = authorization[0].credentials("Bearer") else {
            throw Unauthorized("the Authorization header is not one Bearer token")
        }
        let claims = try claims(of: token)
        guard claims.iss?.value == VonageClaims.issuer else {
            throw Unauthorized("the signature's issuer is not \(VonageClaims.issuer)")
        }
        guard let issued = claims.iat?.value else { throw Unauthorized("the signature does not say when it was made") }
        let age = now.timeIntervalSince(issued)
        guard abs(age) <= maximumAge else {
            throw Unauthorized(
                age > 0 ? "the signature is older than \(Int(maximumAge)) seconds" : "the signature is from the future")
        }
        if let expiration = claims.exp?.value, expiration <= now { throw Unauthorized("the signature has expired") }
        if let apiKey, claims.apiKey != apiKey { throw Unauthorized("the signature is of another account") }
        if let applicationID, claims.applicationID != applicationID {
            throw Unauthorized("the signature is of another application")
        }
        try check(body, hash: claims.payloadHash, isSecure: isSecure)
        let end = issued.addingTimeInterval(maximumAge)
        return Proof(identifier: claims.jti, end: min(end, claims.exp?.value ?? end))
    }

    private func check(_ body: some DataProtocol, hash: String?, isSecure: Bool) throws(Unauthorized) {
        guard let hash else {
            if body.isEmpty || isSecure { return }
            throw Unauthorized("the signature does not cover the body, which it must where there is no TLS")
        }
        guard hash.lowercased().isSameSecret(as: Self.hash(body)) else {
            throw Unauthorized("the body is not the one that was signed")
        }
    }

    /// Returns a token's claims after verifying its signature.
    private func claims(of token: String) throws(Unauthorized) -> VonageClaims {
        let bytes = Array(token.utf8)
        do {
            let parsed = try DefaultJWTParser().parse(bytes, as: VonageClaims.self)
            guard parsed.header.alg == Self.algorithmName else {
                throw Unauthorized("the signature is not made with \(Self.algorithmName)")
            }
            // The parser has found three parts. The last is the signature of the text before it.
            let signed = bytes[..<(bytes.lastIndex(of: UInt8(ascii: ".")) ?? 0)]
            guard try algorithms.contains(where: { try $0.verify(parsed.signature, signs: signed) }) else {
                throw Unauthorized("the signature is wrong")
            }
            return parsed.payload
        } catch let error as Unauthorized {
            throw error
        } catch {
            // The library's message may contain the token.
            throw Unauthorized("the Bearer token is not a JSON Web Token")
        }
    }

    /// Returns the SHA-256 of a body in hexadecimal.
    static func hash(_ body: some DataProtocol) -> String {
        SHA256.hash(data: body).map { String(format: "%02x", $0) }.joined()
    }
}
