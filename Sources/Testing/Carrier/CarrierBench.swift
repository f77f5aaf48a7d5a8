import CallreelCore
import Foundation

/// Checks one carrier with one set of options.
struct CarrierBench<C: Carrier> {
    private let options: C.Options
    private let plan: CarrierContractPlan
    private let carrier: C
    /// The violations so far, at most one of each rule.
    private(set) var violations: [CarrierContractViolation] = []

    init(options: C.Options, plan: CarrierContractPlan) throws(ConfigurationProblem) {
        self.options = options
        self.plan = plan
        carrier = try C(
            options: options,
            context: CarrierContext(name: C.type, place: .root) { uuid in
                "wss://callreel.example/calls?call=\(uuid ?? "")"
            })
    }

    /// Checks every rule.
    mutating func run() {
        checkConfiguration()
        checkRequests()
        for conversation in plan.conversations { check(conversation) }
    }

    private mutating func note(_ rule: CarrierContractRule, _ reason: String) {
        if violations.contains(where: { $0.rule == rule }) { return }
        violations.append(CarrierContractViolation(rule: rule, reason: reason))
    }

    // MARK: - Configuration

    private mutating func checkConfiguration() {
        if !C.type.isTypeName { note(.name, "\(C.type.debugDescription) is not") }
        if !C.summary.isOneLine { note(.summary, "\(C.summary.debugDescription) is not") }
        let common = Set(["type"] + CarrierEnvelope.fields.map(\.name))
        let faults = OptionsCheck<C.Options>(common: common).faults(options)
        for reason in faults.unreadable { note(.optionsAsJSON, reason) }
        for reason in faults.lenient { note(.strictOptions, reason) }
        for path in [C.standardPath, C.standardWebhooks]
        where !path.hasPrefix("/") || !path.split(separator: "/").allSatisfy({ Self.isWord($0) }) {
            note(.paths, "\(path.debugDescription) does not")
        }
        let names = carrier.webhooks.map(\.name)
        for (index, name) in names.enumerated() where !Self.isWord(name) || names[..<index].contains(name) {
            note(.webhookNames, "\(name.debugDescription) is not such a name, or is a second one")
        }
    }

    private static func isWord(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
    }

    // MARK: - Requests

    private mutating func checkRequests() {
        for request in plan.requests + Self.oddRequests(like: plan.requests) {
            for webhook in carrier.webhooks {
                let answers = (0..<2).map { _ in self.answer(webhook, request) }
                let what = "\(webhook.name), \(request.method) \(request.target.prefix(60)): "
                if answers[0] != answers[1] {
                    note(.webhookAnswers, what + "first \(answers[0].prefix(200)), then \(answers[1].prefix(200))")
                }
                expectNoSecret(answers[0], what)
            }
            let judgements = (0..<2).map { _ in self.judge(request) }
            let what = "\(request.method) \(request.target.prefix(60)): "
            if judgements[0] != judgements[1] {
                note(.admission, what + "first \(judgements[0]), then \(judgements[1])")
            }
            expectNoSecret(judgements[0], what)
        }
    }

    private mutating func answer(_ webhook: CarrierWebhook, _ request: CarrierRequest) -> String {
        do throws(CarrierRefusal) { return try webhook.respond(request).words } catch { return refused(error) }
    }

    private mutating func judge(_ request: CarrierRequest) -> String {
        let recognition = "\(carrier.recognizes(request)), "
        do throws(CarrierRefusal) {
            let admission = try carrier.admit(request)
            _ = carrier.dialect(for: admission)
            return recognition + "admitted \(admission.subprotocol ?? "-") \(admission.proof?.identifier ?? "-")"
        } catch {
            return recognition + refused(error)
        }
    }

    private mutating func refused(_ refusal: CarrierRefusal) -> String {
        if !refusal.reason.isOneLine { note(.refusals, "\(refusal.reason.debugDescription) is not") }
        return "refused: \(refusal.reason)"
    }

    private mutating func expectNoSecret(_ words: String, _ what: String) {
        for secret in plan.secrets where words.contains(secret) { note(.secrets, what + "the answer has a secret") }
    }

    /// Requests that no carrier makes, and the given ones with a part missing or changed.
    private static func oddRequests(like requests: [CarrierRequest]) -> [CarrierRequest] {
        let time = Date(timeIntervalSince1970: 1_790_000_000)
        let bodies = ["", "null", "[]", "{}", "7", "\"x\"", "{", "\u{0}", deep, #"{"a": 1e999}"#, "a=%&b=%zz&=&&"]
        let targets = ["/", "", "?", "/x?key=&key=&%00=%", "/" + String(repeating: "x", count: 5000)]
        var odd = bodies.map { body in
            CarrierRequest(
                "POST", "/", headers: [("content-type", "application/json")], body: Array(body.utf8), receivedAt: time)
        }
        odd.append(CarrierRequest("POST", "/", body: [0xFF, 0xC0, 0x80], receivedAt: time))
        odd += targets.map { CarrierRequest("GET", $0, receivedAt: time) }
        for value in ["", " ", "Bearer", "Bearer ", "Bearer a.b.c", "Basic =", String(repeating: "a.", count: 3000)] {
            odd.append(CarrierRequest("GET", "/", headers: [("authorization", value)], receivedAt: time))
        }
        for request in requests {
            for index in request.headers.indices {
                var changed = request
                changed.headers.remove(at: index)
                odd.append(changed)
                changed = request
                changed.headers.append(request.headers[index])
                odd.append(changed)
                changed = request
                changed.headers[index].value = "\u{1}" + request.headers[index].value.dropLast()
                odd.append(changed)
            }
            for body in bodies {
                var changed = request
                changed.body = Array(body.utf8)
                odd.append(changed)
            }
        }
        return odd
    }

    // MARK: - Messages

    /// JSON with more levels than any parser should follow.
    private static var deep: String { String(repeating: "[", count: 3000) }

    /// Texts that are no message of any carrier.
    private static var nonsense: [String] {
        ["", " ", "nonsense", "null", "7", "[]", "\"text\"", "{", "{}", "\u{0}", deep, #"{"event": 7}"#]
    }

    private func play(_ messages: [CarrierMessage]) -> CarrierTrace {
        CarrierTrace.play(messages, to: carrier.dialect(for: CarrierAdmission()))
    }

    private mutating func check(_ conversation: [CarrierMessage]) {
        let whole = play(conversation)
        if whole.begun.count != 1 || whole.refusal != nil || whole.malformed > 0 {
            note(
                .oneCall,
                "\(whole.begun.count) calls, \(whole.malformed) messages not understood, "
                    + (whole.refusal.map { "refused: \($0.reason)" } ?? "no refusal"))
        } else if whole.begun[0].carrier != C.type {
            note(.oneCall, "its facts name \(whole.begun[0].carrier.debugDescription)")
        }
        if play(conversation).lines != whole.lines { note(.purity, "a second run says something else") }
        judge(whole, "the whole conversation")
        checkEarlyBinary(conversation)
        checkTolerance(conversation)
        for index in conversation.indices {
            var changed = conversation
            changed.remove(at: index)
            judge(play(changed), "without message \(index + 1)")
            changed = conversation
            changed.insert(conversation[index], at: index)
            judge(play(changed), "with message \(index + 1) twice")
            if index + 1 < conversation.count {
                changed = conversation
                changed.swapAt(index, index + 1)
                judge(play(changed), "with message \(index + 1) after the next")
            }
            judge(play(Array(conversation.prefix(index))), "cut before message \(index + 1)")
            guard case .text(let text) = conversation[index] else { continue }
            for other in Self.variants(of: text) {
                changed = conversation
                changed[index] = .text(other)
                judge(play(changed), "with message \(index + 1) as \(other.prefix(100))")
            }
        }
    }

    /// Checks what holds in every run.
    private mutating func judge(_ trace: CarrierTrace, _ what: String) {
        if trace.hasEarlyAudio { note(.order, what) }
        if let refusal = trace.refusal { _ = refused(refusal) }
        expectNoSecret(trace.lines.joined(separator: "\n"), what + ": ")
    }

    private mutating func checkEarlyBinary(_ conversation: [CarrierMessage]) {
        guard let begin = beginning(of: conversation) else { return }
        for place in 0...begin {
            var early = conversation
            early.insert(.binary([1, 2]), at: place)
            if play(early).refusal == nil { note(.earlyBinary, "one before message \(place + 1) is taken") }
        }
    }

    private mutating func checkTolerance(_ conversation: [CarrierMessage]) {
        guard let begin = beginning(of: conversation) else { return }
        for text in Self.nonsense {
            let trace = play(Array(conversation.prefix(begin + 1)) + [.text(text)])
            if trace.refusal != nil || trace.hasEnded {
                note(.tolerance, "\(text.prefix(20).debugDescription) ends it")
            }
        }
    }

    /// The index of the message that begins the call; nil if none does.
    private func beginning(of conversation: [CarrierMessage]) -> Int? {
        conversation.indices.first { play(Array(conversation.prefix($0 + 1))).hasBegun }
    }

    /// Returns a message with each of its values left out, or replaced by values that no carrier sends.
    private static func variants(of text: String) -> [String] {
        var variants = nonsense + [String(text.dropLast()), text + text]
        guard let value = try? JSONValue(parsing: Data(text.utf8)) else { return variants }
        let odd: [JSONValue] = [
            .null, true, -1, 0, .number(0.5), .number(1e300), .integer(.max), .integer(.min), "", "\u{0}\n",
            .string(String(repeating: "9", count: 400)), .array([]), .object([:]), .array([.array([.null])]),
        ]
        for replace in replacements(in: value) {
            variants += odd.map { replace($0).json() }
            variants.append(replace(nil).json())
        }
        return variants
    }

    /// Returns a function for each member of the objects in a value, which replaces the member or leaves it out.
    private static func replacements(in value: JSONValue, depth: Int = 0) -> [(JSONValue?) -> JSONValue] {
        guard case .object(let members) = value, depth < 4 else { return [] }
        return members.sorted { $0.key < $1.key }.flatMap { key, old -> [(JSONValue?) -> JSONValue] in
            let with: (JSONValue?) -> JSONValue = { new in
                var changed = members
                changed[key] = new
                return .object(changed)
            }
            return [with] + replacements(in: old, depth: depth + 1).map { inner in { with(inner($0)) } }
        }
    }
}
