import CallreelCarriers
import Foundation
import JWTKit
import NIOSSL

/// The account of a test call, and the servers that it trusts. A real carrier has the account from its customer.
package struct CarrierIdentity: Sendable {
    /// The servers whose TLS certificates are accepted.
    package enum Trust: Sendable {
        /// Servers trusted by the system.
        case system
        /// Servers vouched for by the certificates of a PEM file.
        case authority(String)
        /// All servers, without a check.
        case anybody
    }

    /// The secret that signs webhooks and calls; nil signs nothing.
    package var signatureSecret: String?
    /// The account in a signature.
    package var apiKey: String?
    /// The application in a signature.
    package var applicationID: String?
    package var trust: Trust

    /// Makes an identity. Without arguments it signs nothing.
    package init(
        signatureSecret: String? = nil, apiKey: String? = nil, applicationID: String? = nil, trust: Trust = .system
    ) {
        self.signatureSecret = signatureSecret
        self.apiKey = apiKey
        self.applicationID = applicationID
        self.trust = trust
    }

    /// Returns the `Authorization` header of a request without a body, signed as Vonage does; nil without a secret.
    func authorization() async throws(CallerError) -> String? {
        guard let signatureSecret else { return nil }
        let claims = VonageClaims(
            issued: Date(), identifier: UUID().uuidString.lowercased(), apiKey: apiKey, applicationID: applicationID)
        do {
            let keys = await JWTKeyCollection().add(hmac: Self.key(signatureSecret), digestAlgorithm: .sha256)
            return "Bearer " + (try await keys.sign(claims))
        } catch {
            throw CallerError("cannot sign the call: \(error)")
        }
    }

    /// Returns the signing key. A secret shorter than 32 bytes is padded with zeros, because the library requires 32
    /// bytes. HMAC pads with the same zeros (RFC 2104, section 2), so the key stays the same.
    private static func key(_ secret: String) -> HMACKey {
        var bytes = Array(secret.utf8)
        bytes.append(contentsOf: repeatElement(0, count: max(0, 32 - bytes.count)))
        return HMACKey(from: bytes)
    }

    /// Returns the `Authorization` header required by an endpoint.
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

    /// Returns advice about a refusal; empty if there is none.
    func advice(onStatus status: UInt) -> String { status == 401 && signatureSecret == nil ? Self.howToSign : "" }

    /// Returns the TLS settings for the check of a server.
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
