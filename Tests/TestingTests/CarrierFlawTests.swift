import CallreelCore
import CallreelTesting
import Foundation
import Synchronization
import Testing

/// Carriers with one flaw each. The kit must find each flaw under its own number, and nothing in the carrier without.
@Suite struct CarrierFlawTests {
    private static let secret = "0123456789abcdef"
    private static let conversation: [CarrierMessage] = [
        .text(#"{"rate": 16000, "who": "anna"}"#), .binary([1, 0]), .text(#"{"event": "mark"}"#),
    ]

    private func violations(_ flaw: CarrierFlaw) throws -> [CarrierContractViolation] {
        var options = FlawedCarrierOptions()
        options.flaw = flaw
        return try checkCarrierContract(
            FlawedCarrier.self, options: options,
            plan: CarrierContractPlan(
                conversations: [Self.conversation],
                requests: [CarrierRequest("GET", "/calls/flawed", headers: [("authorization", "Bearer x")])],
                secrets: [Self.secret]))
    }

    @Test func `a carrier without a flaw keeps the contract`() throws { #expect(try violations(.none) == []) }

    @Test(arguments: CarrierFlaw.allCases.filter { $0 != .none })
    func `a flaw is found under its own number`(flaw: CarrierFlaw) throws {
        let found = try violations(flaw)
        #expect(found.map(\.rule.number) == [flaw.rule?.number], "\(found)")
    }

    @Test func `a type's own flaws are found`() throws {
        let plan = CarrierContractPlan(conversations: [Self.conversation])
        let found = try checkCarrierContract(MisnamedCarrier.self, plan: plan)
        #expect(Set(found.map(\.rule.number)) == ["C1", "C2", "C3", "C4", "C5", "C9"], "\(found)")
        #expect(throws: CarrierContractError.self) { try requireCarrierContract(MisnamedCarrier.self, plan: plan) }
    }

    @Test func `every rule has a flaw`() {
        let own: Set = ["C1", "C2", "C3", "C4", "C5"]
        #expect(
            own.union(CarrierFlaw.allCases.compactMap(\.rule?.number)) == Set(CarrierContractRule.all.map(\.number)))
    }
}

enum CarrierFlaw: String, CaseIterable {
    case none, twoWebhooks, forgetfulWebhook, talkativeWebhook, countingAdmission, otherCarrier, refusedEvent
    case chance, earlyAudio, lateAudio, earlyBinary, fatalNonsense, emptyRefusal, toldSecret

    var rule: CarrierContractRule? {
        switch self {
        case .none: nil
        case .twoWebhooks: .webhookNames
        case .forgetfulWebhook: .webhookAnswers
        case .talkativeWebhook, .toldSecret: .secrets
        case .countingAdmission: .admission
        case .otherCarrier, .refusedEvent: .oneCall
        case .chance: .purity
        case .earlyAudio, .lateAudio: .order
        case .earlyBinary: .earlyBinary
        case .fatalNonsense: .tolerance
        case .emptyRefusal: .refusals
        }
    }
}

private struct FlawedCarrierOptions: Configurable {
    var flaw = CarrierFlaw.none
    static let fields: [Field<Self>] = [.choice("flaw", \.flaw, "The flaw.")]
}

/// Counts, as no carrier may.
private let counter = Mutex(0)

private func next() -> Int {
    counter.withLock { count in
        count += 1
        return count
    }
}

private struct FlawedCarrier: Carrier {
    static let type = "flawed"
    static let summary = "for tests"
    private let flaw: CarrierFlaw

    init(options: FlawedCarrierOptions, context: CarrierContext) { flaw = options.flaw }

    var webhooks: [CarrierWebhook] {
        let answer = CarrierWebhook("answer", .answer) { [flaw] request throws(CarrierRefusal) in
            if request.body.count > 3000 { throw CarrierRefusal(.malformed, "too long") }
            switch flaw {
            case .forgetfulWebhook: return CarrierReply(.json(.integer(next())))
            case .talkativeWebhook: return CarrierReply(.json("0123456789abcdef"))
            default: return CarrierReply(.json("ok"))
            }
        }
        return flaw == .twoWebhooks ? [answer, answer] : [answer]
    }

    func admit(_ request: CarrierRequest) throws(CarrierRefusal) -> CarrierAdmission {
        if flaw == .countingAdmission { return CarrierAdmission(subprotocol: "\(next())") }
        guard request.credentials("Bearer") != nil else {
            throw CarrierRefusal(.unauthorized, flaw == .emptyRefusal ? "" : "the key is missing")
        }
        return CarrierAdmission()
    }

    func dialect(for admission: CarrierAdmission) -> FlawedCarrierDialect { FlawedCarrierDialect(flaw: flaw) }
}

private struct FlawedCarrierDialect: CarrierDialect {
    let flaw: CarrierFlaw
    var texts = 0

    mutating func receive(text: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal) {
        texts += 1
        let data = unsafe text.withUnsafeBufferPointer { unsafe Data(buffer: $0) }
        guard let value = try? JSONValue(parsing: data), case .object(let members) = value else {
            if !desk.hasBegun || flaw == .fatalNonsense { throw CarrierRefusal(.malformed, "no JSON object") }
            return desk.malformed("no JSON object")
        }
        if flaw == .earlyAudio, !desk.hasBegun { desk.audio([UInt8]([1, 0]).span) }
        if desk.hasBegun {
            guard let event = members["event"]?.string else { return desk.malformed("no event") }
            if flaw == .refusedEvent { throw CarrierRefusal(.policy, "events are not allowed") }
            return desk.event(event, flaw == .toldSecret ? ["key": "0123456789abcdef"] : [:])
        }
        // Harmless in the order of the conversation, and wrong in any other.
        if flaw == .lateAudio, members["event"] != nil { desk.audio([UInt8]([1, 0]).span) }
        guard let rate = members["rate"]?.double.flatMap({ Int(exactly: $0) }) else {
            throw CarrierRefusal(.policy, "no rate")
        }
        try desk.begin(
            CallFacts(
                carrier: flaw == .otherCarrier ? "other" : FlawedCarrier.type,
                from: flaw == .chance ? "\(next())" : members["who"]?.string),
            audio: CallAudio(sampleRate: rate), binary: flaw == .earlyBinary ? .dialect : .audio)
    }

    mutating func receive(binary: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal) {
        if flaw == .earlyBinary { return }
        throw CarrierRefusal(.policy, "audio before its format")
    }
}

private struct MisnamedCarrierOptions: Configurable {
    var anything = "x"
    static let fields: [Field<Self>] = [
        Field(
            "anything", type: "anything", schema: [:], help: "Anything.", read: { _, _, _, _ in },
            write: { .string($0.anything + "\(next())") })
    ]
}

private struct MisnamedCarrier: Carrier {
    static let type = "7 of 9"
    static let summary = "two\nlines"
    static let standardPath = "calls?x"
    init(options: MisnamedCarrierOptions, context: CarrierContext) {}
    func dialect(for admission: CarrierAdmission) -> FlawedCarrierDialect { FlawedCarrierDialect(flaw: .none) }
}
