public import CallreelCore
import Foundation

/// The messages of Vonage Voice API WebSockets. The Video Audio Connector, Infobip and Vonage's older bridge send the
/// same messages.
///
/// The older bridge puts a space before each message and sends no `event` key.
/// The first text message names the audio's content type. The NCCO's `headers` stand beside it at the top level.
/// The dialect is lenient about everything else: keys in any order, unknown keys and events, numbers as text.
public struct VonageDialect: CarrierDialect {
    /// The only accepted content type: 16-bit linear PCM. Vonage sends it little-endian, although RFC 2586
    /// says big-endian.
    package static let mediaType = "audio/l16"

    public func receive(text: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal) {
        guard let message = try desk.object(in: text) else { return }
        guard desk.hasBegun else { return try start(message, &desk) }
        understand(message, &desk)
    }

    public func receive(binary: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal) {
        throw CarrierRefusal(.policy, "audio came before the handshake message that names its content-type")
    }

    // MARK: - The handshake message

    private func start(_ message: [String: JSONValue], _ desk: inout Desk) throws(CarrierRefusal) {
        guard let type = message["content-type"] else {
            let event = message["event"].map { " \($0.found)" } ?? ""
            throw CarrierRefusal(
                .policy, "the first message\(event) has no content-type such as \"audio/l16;rate=16000\"")
        }
        let format = try Self.format(of: type)
        try desk.begin(
            Self.facts(in: message), audio: CallAudio(sampleRate: format.sampleRate, channels: format.channels),
            binary: .audio)
    }

    /// Parses `audio/l16;rate=16000`, with RFC 2586's parameters in any letter case and with spaces where RFC 9110
    /// allows them.
    package static func format(of contentType: JSONValue) throws(CarrierRefusal) -> AudioFormat {
        let parts = (contentType.string ?? "").lowercased().split(separator: ";").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        guard parts.first == mediaType else {
            throw CarrierRefusal(
                .unsupported, "content-type \(contentType.found) is not audio/l16;rate=8000, 16000 or 24000")
        }
        var rate: String?
        for parameter in parts.dropFirst() {
            let pair = parameter.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if pair.count == 2, pair[0] == "rate" { rate = pair[1].trimmingCharacters(in: ["\""]) }
            if pair.count == 2, pair[0] == "channels", pair[1] != "1" {
                throw CarrierRefusal(
                    .unsupported, "content-type \(contentType.found) has \(pair[1]) channels; this carrier sends 1")
            }
        }
        guard let rate, let number = Int(rate), AudioFormat.supportedSampleRates.contains(number) else {
            throw CarrierRefusal(
                .unsupported, "rate \(rate ?? "missing") in \(contentType.found) is not 8000, 16000 or 24000")
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

    private func understand(_ message: [String: JSONValue], _ desk: inout Desk) {
        if Self.isDigit(message) { return digit(in: message, &desk) }
        if let encoded = message["audio"]?.string {
            guard let bytes = Data(base64Encoded: encoded) else {
                return desk.malformed("audio is not base64: \(message["audio"]?.found ?? "")")
            }
            return desk.audio([UInt8](bytes).span)
        }
        guard let event = message["event"]?.string else {
            return desk.malformed("a message without an event: \(JSONValue.object(message).found)")
        }
        guard event != "websocket:connected" else { return desk.malformed("a second handshake, which is ignored") }
        var data = message
        data["event"] = nil
        let prefix = "websocket:"
        desk.event(event.hasPrefix(prefix) ? String(event.dropFirst(prefix.count)) : event, data)
    }

    /// Returns true for a message about a DTMF digit: with and without `event`.
    private static func isDigit(_ message: [String: JSONValue]) -> Bool {
        let event = message["event"]?.string
        return event == "websocket:dtmf" || (event == nil && (message["digit"] != nil || message["dtmf"] != nil))
    }

    /// Reads a DTMF digit, in each of the forms in use: at the top level, and nested under `dtmf`.
    private func digit(in message: [String: JSONValue], _ desk: inout Desk) {
        let nested = message["dtmf"]
        guard let digit = message["digit"]?.text ?? nested?["digit"]?.text ?? nested?.text, !digit.isEmpty else {
            return desk.malformed("a DTMF message without a digit: \(JSONValue.object(message).found)")
        }
        var data: [String: JSONValue] = ["digit": .string(digit)]
        if let duration = message["duration"] ?? nested?["duration"] { data["duration"] = duration }
        desk.event("dtmf", data)
    }
}
