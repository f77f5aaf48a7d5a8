import CallreelCore
import CallreelNetwork

/// A carrier entry of the configuration at work: the carrier, and the server's own checks of its calls.
struct CarrierEntry: Sendable {
    /// The entry as configured.
    let plan: CarrierPlan
    /// The carrier.
    let carrier: any AnyCarrier
    /// The tokens of its calls; nil if they need none.
    let tokens: CallTokens?
    /// The proofs used so far. Entries share it, because two of them may know the same secret.
    let proofs: SeenProofs

    /// Makes the carrier of an entry. Reads its secrets, and blocks for that.
    /// - Parameters:
    ///   - proofs: the proofs used so far at any entry.
    ///   - publicURL: returns the server's public address.
    init(
        _ plan: CarrierPlan, proofs: SeenProofs, publicURL: @escaping @Sendable () -> PublicURL
    ) throws(ConfigurationProblem) {
        self.plan = plan
        self.proofs = proofs
        let keys = try plan.envelope.tokenKey.values(at: plan.place.key("tokenKey"))
        let needsTokens = plan.envelope.requireToken && plan.carrier.bringsTokens
        let tokens =
            needsTokens
            ? CallTokens(
                keys: keys, lifetime: plan.envelope.tokenLifetime, entry: plan.name == plan.type ? nil : plan.name)
            : nil
        self.tokens = tokens
        let context = CarrierContext(name: plan.name, place: plan.place) { [path = plan.path] uuid in
            let address = publicURL().webSocket(path)
            return tokens.map { "\(address)?\(CallTokens.parameter)=\($0.issue(for: uuid))" } ?? address
        }
        carrier = try plan.carrier.make(context)
    }
}
