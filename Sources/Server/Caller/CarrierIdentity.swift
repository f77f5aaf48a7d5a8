import Foundation
import JWTKit
import NIOSSL

/// Whom a test call comes from, and whom it trusts: what a real carrier has from its customer's account and from the world.
package struct CarrierIdentity: Sendable {
    /// Which servers are taken for what they say they are.
    package enum Trust: Sendable {
        /// Those that the system trusts.
        case system
        /// Those that the certificates of a PEM file vouch for.
        case authority(String)
        /// Every one.
        case anybody
    }

    /// What webhooks and calls are signed with; nil signs nothing.
    package var signatureSecret: String?
    /// The account that a signature names.
    package var apiKey: String?
    /// The application that a signature names.
    package var applicationID: String?
    package var trust: Trust

    /// Makes an identity; without anything, it is anybody's.
    package init(signatureSecret: String? = nil, apiKey: String? = nil, applicationID: String? = nil, trust: Trust = .system) {
        self.signatureSecret = signatureSecret
        self.apiKey = apiKey
        self.applicationID = applicationID
        self.trust = trust
    }

    /// The `Authorization` header of a request without a body, as Vonage signs it; nil without a secret.
    func authorization() async throws(CallerError) -> String? {
        guard let signatureSecret else { return nil }
        let claims = VonageClaims(
            iss: .init(value: VonageClaims.issuer), iat: .init(value: Date()), jti: UUID().uuidString.lowercased(), apiKey: apiKey,
            applicationID: applicationID)
        do {
            let keys = await JWTKeyCollection().add(hmac: VonageClaims.key(signatureSecret), digestAlgorithm: .sha256)
            return "Bearer " + (try await keys.sign(claims))
        } catch {
            throw CallerError("the call cannot be signed: \(error)")
        }
    }

    /// The `Authorization` header that an endpoint asks for.
    func authorization(for asked: CallInstructions.Authorization) async throws(CallerError) -> String? {
        switch asked {
        case .custom(let value): return value
        case .signature: return try await authorization()
        case .requiredSignature:
            if let signed = try await authorization() { return signed }
            throw CallerError("the call must be signed\(Self.howToSign)")
        }
    }

    private static let howToSign = ": set VONAGE_SIGNATURE_SECRET or give --signature-secret"

    /// What to do about a refusal, if that is known.
    func advice(onStatus status: UInt) -> String { status == 401 && signatureSecret == nil ? Self.howToSign : "" }

    /// How a server is checked.
    func tlsConfiguration() throws(CallerError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        switch trust {
        case .system: break
        case .anybody: configuration.certificateVerification = .none
        case .authority(let file):
            do {
                configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(file))
            } catch {
                throw CallerError("\(file) holds no PEM text with certificates")
            }
        }
        return configuration
    }
}
