import CallreelCore

/// Checks one delivery with one set of options. Each subject has its own file.
struct DeliveryBench<D: Delivery> {
    let options: D.Options
    let plan: DeliveryContractPlan
    var room: DeliveryRoom
    let log = HeardLog()
    /// The violations so far, the first case of each rule.
    private(set) var violations: [DeliveryContractViolation] = []

    init(options: D.Options, plan: DeliveryContractPlan) throws(CannotCheck) {
        self.options = options
        self.plan = plan
        room = try DeliveryRoom(deliveryType: D.type)
    }

    /// Runs the checks. Stops early if later checks would have no meaning: a delivery that fails a plain recording is
    /// not tried with odd ones.
    mutating func run() async throws(CannotCheck) {
        try checkPlan()
        checkDescription()
        try await checkAnswers()
        let delivery = try await instance()
        guard let first = try await checkArrival(delivery) else { return }
        try await checkRepetition(delivery, first)
        try await checkIndependence(delivery)
        try await checkOddRecordings(delivery)
        // A new one, in case the odd recordings have broken the first.
        let fresh = try await instance()
        try await checkFailures(fresh)
        if isBroken([.noSwallowing]) { return }
        try await checkCancellation(fresh)
        if isBroken([.cancellation]) { return }
        try await checkRelease(fresh)
    }

    /// Records a violation, unless one of the same rule is already recorded.
    mutating func note(_ rule: DeliveryContractRule, _ reason: String) {
        guard !isBroken([rule]) else { return }
        violations.append(
            DeliveryContractViolation(rule: rule, reason: reason.split(separator: "\n").joined(separator: " / ")))
    }

    /// Returns true if a violation of one of these rules has been recorded.
    func isBroken(_ rules: [DeliveryContractRule]) -> Bool { violations.contains { rules.contains($0.rule) } }

    // MARK: - Tools of the checks

    /// Makes a new instance, as a start of the program does.
    func instance() async throws(CannotCheck) -> D {
        let context = DeliveryContext(place: .root, name: D.type, deadline: plan.patience, logger: log.logger)
        let made = try await timed("init") { [options] in
            Result { () throws(ConfigurationProblem) in try D(options: options, context: context) }
        }
        switch made {
        case .success(let delivery): return delivery
        case .failure(let problem): throw CannotCheck("no instance can be made with these options: \(problem)")
        }
    }

    /// Runs code of the delivery or of the plan that must return while the destination works.
    func timed<Value: Sendable>(
        _ what: String, _ body: @escaping @Sendable () async -> Value
    ) async throws(CannotCheck) -> Value {
        guard let value = await DeliveryTrial.run(limit: plan.patience, body) else { throw hanging(what) }
        return value
    }

    /// The error for something that has not ended although the destination works.
    func hanging(_ what: String) -> CannotCheck {
        CannotCheck("\(what) has not ended within \(plan.patience), the plan's patience")
    }

    /// Makes the destination fail, hang or come back.
    func turn(_ change: (@Sendable () async throws -> Void)?, _ what: String) async throws(CannotCheck) {
        guard let change else { return }
        let result = try await timed("the plan's \(what)") { () -> String? in
            do { try await change() } catch { return "\(error)" }
            return nil
        }
        if let result { throw CannotCheck("the plan's \(what) does not work: \(result)") }
    }

    /// Returns what the destination has; nil if the plan cannot look into it.
    func evidence() async throws(CannotCheck) -> [RecordingID: DeliveryEvidence]? {
        guard let delivered = plan.delivered else { return nil }
        let result = try await timed("the plan's delivered") { await Self.caught(delivered) }
        switch result {
        case .success(let found): return found
        case .failure(let error): throw CannotCheck("the plan cannot look into the destination: \(error)")
        }
    }

    private static func caught<Value: Sendable>(_ body: () async throws -> Value) async -> Result<Value, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }

    /// Makes one attempt, and checks the rules that hold for each.
    mutating func attempt(
        _ delivery: D, _ test: TestRecording, _ what: String, cancelled: DeliveryCancellation = .never
    ) async throws(CannotCheck) -> DeliveryEnding {
        let ending = await DeliveryTrial.attempt(
            delivery, test.recording, limit: plan.patience, cancelled: cancelled)
        judge(ending, what)
        return ending
    }

    /// Checks the rules that hold for each attempt.
    mutating func judge(_ ending: DeliveryEnding, _ what: String) {
        if let change = room.change() {
            note(change.isInside ? .ownFiles : .untrustedFacts, "\(what): \(change.words)")
        }
        switch ending {
        case .receipt(let receipt): judge(receipt, what)
        case .error(let error):
            if !error.reason.isOneLine || !error.description.isOneLine {
                note(.reasons, "\(what): the error \(error.description.debugDescription) is not one line")
            }
            if let wait = error.retryAfter, wait < .zero {
                note(.reasons, "\(what): the error asks for an attempt after \(wait)")
            }
            expectNoSecret([error.description], "\(what): the error")
        case .hanging: break
        }
        expectNoSecret(log.take(), "\(what): a log line")
    }

    private mutating func judge(_ receipt: DeliveryReceipt, _ what: String) {
        let suffixes = receipt.attachments.map(\.suffix)
        for (index, suffix) in suffixes.enumerated() {
            if !Self.isSuffix(suffix) {
                note(.attachments, "\(what): \(suffix.debugDescription) is not allowed")
            } else if suffixes[..<index].contains(suffix) {
                note(.attachments, "\(what): there are two attachments \(suffix.debugDescription)")
            }
        }
        if let number = Self.strayNumber(.object(receipt.details)) {
            note(.details, "\(what): the details have the number \(number)")
        }
        let texts = receipt.attachments.map { $0.suffix + " " + String(decoding: $0.content, as: UTF8.self) }
        expectNoSecret([JSONValue.object(receipt.details).json()] + texts, "\(what): the receipt")
    }

    mutating func expectNoSecret(_ texts: [String], _ what: String) {
        for secret in plan.secrets where texts.contains(where: { $0.contains(secret) }) {
            note(.secrets, "\(what) has a secret")
        }
    }

    /// The engine's rule for the ending of an attachment.
    private static func isSuffix(_ suffix: String) -> Bool {
        !suffix.isEmpty && !suffix.contains("/") && !suffix.contains("\0") && !suffix.hasPrefix(".")
            && suffix.lowercased().split(separator: ".").first != "json" && suffix.utf8.count <= 64
    }

    /// Returns the first number in a value that JSON cannot express.
    private static func strayNumber(_ value: JSONValue) -> Double? {
        switch value {
        case .number(let number): number.isFinite ? nil : number
        case .array(let values): values.lazy.compactMap(strayNumber).first
        case .object(let members): members.values.lazy.compactMap(strayNumber).first
        default: nil
        }
    }

    /// Returns the reason why a delivered recording is not at the destination; nil if it is there, once and whole.
    /// - Parameters:
    ///   - receipt: the receipt of the attempt.
    ///   - isOdd: true for a recording that may lack files, or have nothing to attach anything for.
    func absence(
        of test: TestRecording, _ receipt: DeliveryReceipt, isOdd: Bool = false
    ) async throws(CannotCheck) -> String? {
        guard let found = try await evidence() else {
            let hasContent = receipt.attachments.contains { !$0.content.isEmpty }
            return hasContent || isOdd ? nil : "the receipt has no attachment with content"
        }
        guard let evidence = found[test.recording.id], evidence.times > 0 else {
            return "there is a receipt, but the destination does not have the recording"
        }
        if evidence.times > 1 { return "the destination has the recording \(evidence.times) times" }
        guard let files = evidence.files, !isOdd, !isBroken([.ownFiles]) else { return nil }
        for (index, content) in test.contents.enumerated() where !files.contains(content) {
            let path = test.recording.files[index].path
            return "the destination does not have the content of \(path.lastPathComponent)"
        }
        return nil
    }
}
