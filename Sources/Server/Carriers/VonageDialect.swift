import CallreelCore
import Foundation

/// The messages of Vonage Voice API WebSockets. The Video Audio Connector, Infobip and Vonage's older bridge send the
/// same messages.
///
/// The older bridge puts a space before each message and sends no `event` key.
/// The first text message names the audio's content type. The NCCO's `headers` stand beside it at the top level.
/// The dialect is lenient about everything else: keys in any order, unknown keys and events, numbers as text.
struct VonageDialect: CarrierDialect {
    /// The only accepted content type: 16-bit linear PCM. Vonage sends it little-endian, although RFC 2586
    /// says big-endian.
    static let mediaType = "audio/l16"

    /// The token from the upgrade request. It is valid for one call only.
    private let token: CallToken?
    private var format: AudioFormat?

    /// Makes the dialect for one call.
    /// - Parameter token: the token that admitted the call; nil if none was needed.
    init(token: CallToken? = nil) { self.token = token }

    func refusesAudio() -> WebSocketError? {
        guard format == nil else { return nil }
        return WebSocketError(.policyViolation, "audio came before the handshake message that names its content-type")
    }

    mutating func understand(text: [UInt8]) throws(WebSocketError) -> CarrierMessage {
        let value: JSONValue
        do {
            value = try JSONValue(lenient: Data(text))
        } catch {
            return try unusable(.invalidData, "a text message is not JSON: \(error.reason)")
        }
        guard case .object(let message) = value else {
            return try unusable(.policyViolation, "a text message is not a JSON object: \(value.found)")
        }
        guard format != nil else { return try start(message) }
        return understand(message)
    }

    /// Handles a message without usable content. Before the handshake message it ends the call, because Callreel cannot
    /// record without a format; later only the message is dropped.
    private func unusable(_ code: WebSocketError.Code, _ reason: String) throws(WebSocketError) -> CarrierMessage {
        if format == nil { throw WebSocketError(code, reason) }
        return .malformed(reason)
    }

    // MARK: - The handshake message

    private mutating func start(_ message: [String: JSONValue]) throws(WebSocketError) -> CarrierMessage {
        guard let type = message["content-type"] else {
            let event = message["event"].map { " \($0.found)" } ?? ""
            throw WebSocketError(
                .policyViolation, "the first message\(event) has no content-type such as \"audio/l16;rate=16000\"")
        }
        let format = try Self.format(of: type)
        let facts = Self.facts(in: message)
        if let token, !token.isFor(facts.uuid) {
            throw WebSocketError(
                .policyViolation,
                "the uuid \(facts.uuid == nil ? "is missing" : "is not the one") that the call's token was made for")
        }
        self.format = format
        return .started(facts, format)
    }

    /// Parses `audio/l16;rate=16000`, with RFC 2586's parameters in any letter case and with spaces where RFC 9110
    /// allows them.
    static func format(of contentType: JSONValue) throws(WebSocketError) -> AudioFormat {
        let parts = (contentType.string ?? "").lowercased().split(separator: ";").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        guard parts.first == mediaType else {
            throw WebSocketError(
                .unsupportedData, "content-type \(contentType.found) is not audio/l16;rate=8000, 16000 or 24000")
        }
        var rate: String?
        for parameter in parts.dropFirst() {
            let pair = parameter.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if pair.count == 2, pair[0] == "rate" { rate = pair[1].trimmingCharacters(in: ["\""]) }
            if pair.count == 2, pair[0] == "channels", pair[1] != "1" {
                throw WebSocketError(
                    .unsupportedData, "content-type \(contentType.found) has \(pair[1]) channels; this carrier sends 1")
            }
        }
        guard let rate, let number = Int(rate), AudioFormat.supportedSampleRates.contains(number) else {
            throw WebSocketError(
                .unsupportedData, "rate \(rate ?? "missing") in \(contentType.found) is not 8000, 16000 or 24000")
        }
        return AudioFormat(sampleRate: number)
    }

    /// Takes the call's facts from the handshake message. Callreel's NCCO sends the first name of each fact;
    /// other carriers and NCCOs use the other names.
    private static func facts(in message: [String: JSONValue]) -> CallFacts {
        var rest = message
        rest["event"] = nil
        rest["content-type"] = nil
        func take(_ names: String...) -> String? {
            for name in names {
                if let text = rest[name]?.text, !text.isEmpty {
                    rest[name] = nil
                    return text
                }
            }
            return nil
        }
        return CallFacts(
            carrier: "vonage", from: take("from", "caller-id", "caller_id"), to: take("to"),
            uuid: take("uuid", "call_uuid", "call-uuid", "peer_uuid"),
            conversation: take("conversation_uuid", "conversation"), headers: rest)
    }

    // MARK: - Messages of a running call

    private func understand(_ message: [String: JSONValue]) -> CarrierMessage {
        if let digit = Self.digit(in: message) { return digit }
        if let encoded = message["audio"]?.string {
            guard let bytes = Data(base64Encoded: encoded) else {
                return .malformed("audio is not base64: \(message["audio"]?.found ?? "")")
            }
            return .audio([UInt8](bytes))
        }
        guard let event = message["event"]?.string else {
            return .malformed("a message without an event: \(JSONValue.object(message).found)")
        }
        guard event != "websocket:connected" else { return .malformed("a second handshake, which is ignored") }
        var data = message
        data["event"] = nil
        let prefix = "websocket:"
        return .event(event.hasPrefix(prefix) ? String(event.dropFirst(prefix.count)) : event, data)
    }

    /// Returns a DTMF digit, in each of the forms in use: with and without `event`, and nested under `dtmf`.
    private static func digit(in message: [String: JSONValue]) -> CarrierMessage? {
        let event = message["event"]?.string
        guard event == "websocket:dtmf" || (event == nil && (message["digit"] != nil || message["dtmf"] != nil)) else {
            return nil
        }
        let nested = message["dtmf"]
        guard let digit = message["digit"]?.text ?? nested?["digit"]?.text ?? nested?.text, !digit.isEmpty else {
            return .malformed("a DTMF message without a digit: \(JSONValue.object(message).found)")
        }
        var data: [String: JSONValue] = ["digit": .string(digit)]
        if let duration = message["duration"] ?? nested?["duration"] { data["duration"] = duration }
        return .event("dtmf", data)
    }
}
