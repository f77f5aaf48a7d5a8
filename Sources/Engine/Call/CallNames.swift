import CallreelCore

/// An index of calls by the carrier's identifiers: the uuid of a leg and its conversation.
///
/// Lookups take constant time, however many calls there are.
/// Calls sharing an identifier are kept in the order they were added.
struct CallNames<ID: Hashable & Sendable>: Sendable {
    private var byUUID: [String: [ID]] = [:]
    private var byConversation: [String: [ID]] = [:]

    /// Adds a call under the identifiers in its facts. Skips identifiers the call is already under.
    mutating func add(_ id: ID, _ facts: CallFacts) {
        if let uuid = facts.uuid { Self.add(id, uuid, to: &byUUID) }
        if let conversation = facts.conversation { Self.add(id, conversation, to: &byConversation) }
    }

    /// Removes a call from the identifiers in its facts.
    mutating func remove(_ id: ID, _ facts: CallFacts) {
        if let uuid = facts.uuid { Self.remove(id, uuid, from: &byUUID) }
        if let conversation = facts.conversation { Self.remove(id, conversation, from: &byConversation) }
    }

    /// Returns the call described by the facts: the first with the same uuid, otherwise the first of the conversation.
    /// A conversation may have several legs, each recorded separately.
    func best(_ facts: CallFacts) -> ID? {
        if let uuid = facts.uuid, let leg = byUUID[uuid]?.first { return leg }
        return facts.conversation.flatMap { byConversation[$0]?.first }
    }

    /// Returns every call sharing an identifier with these facts, matches by uuid first.
    func all(_ facts: CallFacts) -> [ID] {
        let legs = facts.uuid.flatMap { byUUID[$0] } ?? []
        let others = facts.conversation.flatMap { byConversation[$0] } ?? []
        return legs + others.filter { !legs.contains($0) }
    }

    private static func add(_ id: ID, _ name: String, to names: inout [String: [ID]]) {
        if names[name]?.contains(id) != true { names[name, default: []].append(id) }
    }

    private static func remove(_ id: ID, _ name: String, from names: inout [String: [ID]]) {
        names[name]?.removeAll { $0 == id }
        if names[name]?.isEmpty == true { names[name] = nil }
    }
}
