/// Finds calls by the names that carriers give them: the uuid of a leg, and the conversation that it belongs to.
///
/// Every question is answered in constant time, however many calls there are. One name may stand for several calls: they
/// are kept in the order in which they were added.
struct CallNames<ID: Hashable & Sendable>: Sendable {
    private var byUUID: [String: [ID]] = [:]
    private var byConversation: [String: [ID]] = [:]

    /// Adds a call under the names that its facts have. Names that it has already are not added again.
    mutating func add(_ id: ID, _ facts: CallFacts) {
        if let uuid = facts.uuid { Self.add(id, uuid, to: &byUUID) }
        if let conversation = facts.conversation { Self.add(id, conversation, to: &byConversation) }
    }

    /// Removes a call from the names that its facts have.
    mutating func remove(_ id: ID, _ facts: CallFacts) {
        if let uuid = facts.uuid { Self.remove(id, uuid, from: &byUUID) }
        if let conversation = facts.conversation { Self.remove(id, conversation, from: &byConversation) }
    }

    /// The call that facts speak of: the first one with the same uuid, or else the first one of the conversation, as one
    /// conversation may have several legs that are recorded each on its own.
    func best(_ facts: CallFacts) -> ID? {
        if let uuid = facts.uuid, let leg = byUUID[uuid]?.first { return leg }
        return facts.conversation.flatMap { byConversation[$0]?.first }
    }

    /// Every call that shares a name with these facts, the uuid's first.
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
