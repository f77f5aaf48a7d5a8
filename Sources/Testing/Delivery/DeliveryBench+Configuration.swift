import CallreelCore

extension DeliveryBench {
    /// Refuses a plan with which the result would mean less than it seems to.
    func checkPlan() throws(CannotCheck) {
        if plan.fail != nil || plan.hang != nil, plan.recover == nil {
            throw CannotCheck("the plan lets the destination fail or hang, but not come back: set recover")
        }
        let hasSecret = options.json.values.contains { value in
            value == .string(Secret.shown) || value == .array([.string(Secret.shown)])
        }
        if hasSecret, plan.secrets.isEmpty {
            throw CannotCheck("the options hold a secret, and the plan does not name it: set secrets")
        }
    }

    /// Checks the type's name and summary, and the options as read from a configuration.
    mutating func checkDescription() {
        if !D.type.isTypeName { note(.name, "\(D.type.debugDescription) is not") }
        if !D.summary.isOneLine { note(.summary, "\(D.summary.debugDescription) is not") }
        let common = Set(["type"] + DeliveryEnvelope.fields.map(\.name))
        let faults = OptionsCheck<D.Options>(common: common).faults(options)
        for reason in faults.unreadable { note(.optionsAsJSON, reason) }
        for reason in faults.lenient { note(.strictOptions, reason) }
    }

    /// Asks the type about the options, and makes instances. Neither may leave a trace.
    mutating func checkAnswers() async throws(CannotCheck) {
        let before = try await evidence()
        let refusals = try await answers("refusal") { [options] in D.refusal(options: options) }
        let obstacles = try await answers("obstacle") { [options] in D.obstacle(options: options) }
        if let refusal = refusals.first ?? nil { throw CannotCheck("the options are refused: \(refusal)") }
        if let obstacle = obstacles.first ?? nil {
            note(.answers, "obstacle says \(obstacle.debugDescription), but the destination works")
        }
        for _ in 0..<2 { _ = try await instance() }
        if try await evidence() != before {
            note(.answers, "the destination has something else after refusal, obstacle and init")
        }
        if let change = room.change() { note(.answers, "after refusal, obstacle and init: \(change.words)") }
        expectNoSecret(log.take(), "a log line of init")
    }

    /// Asks twice. Returns the answers.
    private mutating func answers(
        _ what: String, _ ask: @escaping @Sendable () -> String?
    ) async throws(CannotCheck) -> [String?] {
        var answers: [String?] = []
        for _ in 0..<2 { answers.append(try await timed(what, ask)) }
        if answers[0] != answers[1] { note(.answers, "\(what) changes from one call to the next") }
        for answer in answers.compactMap(\.self) {
            if !answer.isOneLine { note(.answers, "\(what) is \(answer.debugDescription), not one line") }
            expectNoSecret([answer], what)
        }
        return answers
    }
}
