public import CallreelCore
import Foundation

/// Vonage's Voice API. Its Video Audio Connector, Infobip and Vonage's older bridge send the same messages.
public struct Vonage: Carrier {
    public static let type = "vonage"
    public static let summary = "Vonage Voice API, and systems that send the same messages"
    public static let standardPath = "/cable"
    public static let standardWebhooks = "/webhooks"

    /// The subprotocol that the older bridge offers. Some clients insist on an answer to it.
    private static let bridgeProtocol = "WSBRIDGE"

    private let signature: VonageSignature?
    /// The answer webhook and the event webhook.
    public let webhooks: [CarrierWebhook]

    public static func format(options: VonageOptions) -> AudioFormat? { AudioFormat(sampleRate: options.sampleRate) }

    public init(options: VonageOptions, context: CarrierContext) throws(ConfigurationProblem) {
        let secrets = try options.signatureSecret.values(at: context.place.key("signatureSecret"))
        signature = secrets.isEmpty ? nil : VonageSignature(secrets: secrets, options: options)
        let replies = VonageWebhooks(options: options, context: context, signature: signature)
        webhooks = [
            CarrierWebhook("answer", .answer) { request throws(CarrierRefusal) in try replies.answer(request) },
            CarrierWebhook("event", .event) { request throws(CarrierRefusal) in try replies.event(request) },
        ]
    }

    public func recognizes(_ request: CarrierRequest) -> CarrierRecognition { isBridge(request) ? .yes : .maybe }

    public func admit(_ request: CarrierRequest) throws(CarrierRefusal) -> CarrierAdmission {
        let proof: OneTimeProof?
        do throws(CarrierRefusal) { proof = try signature?.check(request) } catch {
            throw CarrierRefusal(
                error.kind,
                "\(error.reason): calls must carry the carrier's signature, which signatureSecret asks for")
        }
        return CarrierAdmission(subprotocol: isBridge(request) ? Self.bridgeProtocol : nil, proof: proof)
    }

    public func dialect(for admission: CarrierAdmission) -> VonageDialect { VonageDialect() }

    private func isBridge(_ request: CarrierRequest) -> Bool {
        request.values(of: "sec-websocket-protocol").contains { values in
            values.split(separator: ",").contains { $0.trimmingCharacters(in: .whitespaces) == Self.bridgeProtocol }
        }
    }
}
