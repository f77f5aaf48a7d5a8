public import CallreelCore

/// The messages of a generic client. Each text message is a JSON object.
///
/// The first text message begins the call: `{"sampleRate": 16000, "channels": 1, "from": "…", "to": "…"}`. `sampleRate`
/// is required, and `channels` is 1 by default. `legs` names the leg on each channel. `from`, `to`, `uuid` and
/// `conversation` name the call. The manifest keeps the other members.
///
/// A later text message with an `event` is an event of the call; its other members are the event's data.
/// `{"event": "end"}` ends the call.
public struct PCMDialect: CarrierDialect {
    public func receive(text: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal) {
        guard let message = try desk.object(in: text) else { return }
        if desk.hasBegun { note(message, &desk) } else { try begin(message, &desk) }
    }

    public func receive(binary: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal) {
        throw CarrierRefusal(
            .policy, "audio came before the text message with its format, such as {\"sampleRate\": 16000}")
    }

    private func begin(_ message: [String: JSONValue], _ desk: inout Desk) throws(CarrierRefusal) {
        var rest = message
        func take(_ name: String) -> JSONValue? {
            defer { rest[name] = nil }
            return rest[name]
        }
        // A value that cannot name the call stays with the other members.
        func text(_ name: String) -> String? {
            guard let text = rest[name]?.text, !text.isEmpty else { return nil }
            rest[name] = nil
            return text
        }
        guard let rate = take("sampleRate") else {
            throw CarrierRefusal(.policy, "the first message has no \"sampleRate\", such as 16000")
        }
        guard let sampleRate = rate.wholeNumber else {
            throw CarrierRefusal(.unsupported, "the sample rate \(rate.found) is not a whole number such as 16000")
        }
        let channels = take("channels") ?? 1
        guard let count = channels.wholeNumber else {
            throw CarrierRefusal(.unsupported, "channels \(channels.found) is not 1 or 2")
        }
        var legs: [String]?
        if let list = take("legs") {
            guard case .array(let elements) = list, elements.allSatisfy({ $0.string?.isEmpty == false }) else {
                throw CarrierRefusal(.policy, "legs \(list.found) is not a list such as [\"caller\", \"callee\"]")
            }
            legs = elements.compactMap(\.string)
        }
        var coding = AudioCoding.pcm16
        if let name = take("coding") { coding = AudioCoding(description: name.text ?? name.found) }
        var call = CallFacts(
            carrier: PCM.type, from: text("from"), to: text("to"), uuid: text("uuid"),
            conversation: text("conversation"))
        call.legs = legs
        call.headers = rest
        try desk.begin(
            call,
            audio: CallAudio(coding, sampleRate: sampleRate, channels: count), binary: .audio)
    }

    private func note(_ message: [String: JSONValue], _ desk: inout Desk) {
        guard let event = message["event"]?.string, !event.isEmpty else {
            return desk.malformed("a message without an event: \(JSONValue.object(message).found)")
        }
        if event == "end" { return desk.end("the client ended the call") }
        var data = message
        data["event"] = nil
        desk.event(event, data)
    }
}
