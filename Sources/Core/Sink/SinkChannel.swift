/// One channel of a sink's audio: the leg of the call that is on it.
public struct SinkChannel: Hashable, Sendable {
    /// The leg of a channel with all that the carrier sends in one channel, or with the sum of all legs.
    public static let mix = "mix"
    /// The leg of a channel of which the carrier does not tell.
    public static let unknown = "unknown"

    /// The leg's name, such as `caller`, `callee`, ``mix`` or ``unknown``. Do not trust it: it comes from outside.
    public let leg: String
    /// The number or address of the party that speaks there; nil if unknown or more than one.
    public let party: String?

    /// Describes a channel.
    public init(leg: String, party: String? = nil) {
        self.leg = leg
        self.party = party
    }

    /// Returns the channels of a call's audio, mixed or doubled to a number of channels.
    static func all(of call: CallFacts, count: Int) -> [SinkChannel] {
        let legs = call.legs ?? (count == 1 ? [mix] : [])
        if legs.count == count { return legs.map { SinkChannel(leg: $0, in: call) } }
        guard let only = legs.first, legs.count == 1 || count == 1 else {
            return Array(repeating: SinkChannel(leg: unknown), count: count)
        }
        return Array(repeating: SinkChannel(leg: legs.count == 1 ? only : mix, in: call), count: count)
    }

    private init(leg: String, in call: CallFacts) {
        let party: String? =
            switch leg {
            case "caller": call.from
            case "callee": call.to
            default: nil
            }
        self.init(leg: leg, party: party)
    }
}
