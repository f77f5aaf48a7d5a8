import CallreelCore

/// An index of calls by the carrier's identifiers: the uuid of a leg and its conversation.
///
/// Lookups take constant time, however many calls there are.
/// Calls sharing an identifier are kept in the order they were added.
struct CallNames<ID: Hashable & Sendable>: Sendable {
    private var byLeg: [CallFacts.Identifier: [ID]] = [:]
    private var byTalk: [CallFacts.Identifier: [ID]] = [:]

    /// Adds a call under the identifiers in its facts. Skips identifiers the call is already under.
    mutating func add(_ id: ID, _ facts: CallFacts) {
        if let leg = facts.leg { Self.add(id, leg, to: &byLeg) }
        if let talk = facts.talk { Self.add(id, talk, to: &byTalk) }
    }

    /// Removes a call from the identifiers in its facts.
    mutating func remove(_ id: ID, _ facts: CallFacts) {
        if let leg = facts.leg { Self.remove(id, leg, from: &byLeg) }
        if let talk = facts.talk { Self.remove(id, talk, from: &byTalk) }
    }

    /// Returns the call described by the facts: the first with the same uuid, otherwise the first of the conversation.
    /// A conversation may have several legs, each recorded separately.
    func best(_ facts: CallFacts) -> ID? {
        if let leg = facts.leg.flatMap({ byLeg[$0]?.first }) { return leg }
        return facts.talk.flatMap { byTalk[$0]?.first }
    }

    /// Returns every call sharing an identifier with these facts, matches by uuid first.
    func all(_ facts: CallFacts) -> [ID] {
        let legs = facts.leg.flatMap { byLeg[$0] } ?? []
        let others = facts.talk.flatMap { byTalk[$0] } ?? []
        return legs + others.filter { !legs.contains($0) }
    }

    private static func add(_ id: ID, _ name: CallFacts.Identifier, to names: inout [CallFacts.Identifier: [ID]]) {
        if names[name]?.contains(id) != true { names[name, default: []].append(id) }
    }

    private static func remove(_ id: ID, _ name: CallFacts.Identifier, from names: inout [CallFacts.Identifier: [ID]]) {
        names[name]?.removeAll { $0 == id }
        if names[name]?.isEmpty == true { names[name] = nil }
    }
}
