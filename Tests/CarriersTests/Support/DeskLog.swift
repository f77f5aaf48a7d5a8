@testable import CallreelCore

/// A desk that keeps what a dialect says.
final class DeskLog: DeskRecipient {
    enum Said {
        case started(CallFacts, AudioFormat)
        case audio([UInt8])
        case event(String, [String: JSONValue])
        case malformed(String)
        case reply(String)
        case end(String)
    }

    private(set) var all: [Said] = []
    private(set) var hasBegun = false
    private(set) var binary = BinaryMessages.dialect

    func begin(_ call: CallFacts, format: AudioFormat, binary: BinaryMessages) {
        hasBegun = true
        self.binary = binary
        all.append(.started(call, format))
    }

    func audio(_ bytes: Span<UInt8>) { all.append(.audio(bytes.indices.map { bytes[$0] })) }
    func event(_ type: String, _ data: [String: JSONValue]) { all.append(.event(type, data)) }
    func malformed(_ reason: String) { all.append(.malformed(reason)) }
    func reply(text: String) { all.append(.reply(text)) }
    func reply(binary: [UInt8]) { all.append(.reply("\(binary)")) }
    func end(call reason: String) { all.append(.end(reason)) }

    /// Gives the texts to a dialect in turn, and returns what it said last.
    static func understand(_ dialect: some CarrierDialect, _ texts: [String]) throws(CarrierRefusal) -> Said {
        let log = DeskLog()
        var dialect = dialect, desk = Desk(log)
        for text in texts { try dialect.receive(text: Array(text.utf8).span, at: &desk) }
        return log.all.last ?? .malformed("")
    }
}

extension CarrierRefusal.Kind {
    /// The code of the close frame.
    var code: UInt16 {
        switch self {
        case .unauthorized, .policy: 1008
        case .malformed: 1007
        case .unsupported: 1003
        }
    }
}
