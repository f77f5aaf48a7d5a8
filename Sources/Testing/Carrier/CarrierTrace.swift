import CallreelCore

/// What a dialect says to its desk, in words, so that two runs can be compared.
final class CarrierTrace: DeskRecipient {
    /// The words, in order.
    private(set) var lines: [String] = []
    private(set) var begun: [CallFacts] = []
    private(set) var binary = BinaryMessages.dialect
    private(set) var hasEnded = false
    private(set) var malformed = 0
    /// Audio came before the call had begun.
    private(set) var hasEarlyAudio = false
    /// The refusal that ended the call.
    private(set) var refusal: CarrierRefusal?

    var hasBegun: Bool { !begun.isEmpty }

    func begin(_ call: CallFacts, format: AudioFormat, binary: BinaryMessages) {
        begun.append(call)
        self.binary = binary
        let facts = [call.from, call.to, call.uuid, call.conversation].map { $0 ?? "-" }.joined(separator: " ")
        lines.append("begin \(call.carrier) \(facts) \(JSONValue.object(call.headers).json()), \(format)")
    }

    func audio(_ bytes: Span<UInt8>) {
        if !hasBegun { hasEarlyAudio = true }
        lines.append("audio \(bytes.indices.map { bytes[$0] })")
    }

    func event(_ type: String, _ data: [String: JSONValue]) {
        lines.append("event \(type) \(JSONValue.object(data).json())")
    }

    func malformed(_ reason: String) {
        malformed += 1
        lines.append("malformed \(reason)")
    }

    func reply(text: String) { lines.append("reply \(text)") }

    func reply(binary: [UInt8]) { lines.append("reply \(binary)") }

    func end(call reason: String) {
        hasEnded = true
        lines.append("end \(reason)")
    }

    /// Plays messages to a dialect, as the server does: it takes binary audio itself, and refuses early binary
    /// messages. Stops at a refusal or at the call's end.
    static func play(_ messages: [CarrierMessage], to dialect: some CarrierDialect) -> CarrierTrace {
        let trace = CarrierTrace()
        var dialect = dialect, desk = Desk(trace)
        do throws(CarrierRefusal) {
            for message in messages where !trace.hasEnded {
                switch message {
                case .text(let text): try dialect.receive(text: Array(text.utf8).span, at: &desk)
                case .binary(let bytes):
                    if trace.hasBegun, case .audio = trace.binary { continue }
                    try dialect.receive(binary: (trace.hasBegun ? bytes : []).span, at: &desk)
                    if !trace.hasBegun { trace.lines.append("a binary message before the call was taken") }
                }
                dialect.tick(at: &desk)
            }
            dialect.end(at: &desk)
        } catch {
            trace.refusal = error
            trace.lines.append("refusal \(error.kind) \(error.reason)")
        }
        return trace
    }
}

extension CarrierReply {
    /// The answer in words, so that two answers can be compared.
    var words: String {
        let document =
            switch body {
            case .none: "none"
            case .json(let value): value.json()
            case .xml(let text): text
            }
        let told = events.map { "\($0.type) \(JSONValue.object($0.data).json()) \($0.call) \($0.isEnd)" }
        return "\(document); \(told); \(String(describing: announcement)); \(proof?.identifier ?? "no proof")"
    }
}
