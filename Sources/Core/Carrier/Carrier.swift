public import Foundation

/// A system that sends calls: it opens a WebSocket for each call, and asks webhooks what to do with a call.
///
/// A conformer is pure: values in, values out. It opens no connection, reads no disk after `init`, keeps no state that
/// changes, and never blocks. The server owns the sockets, the routes, the tokens and the clock.
///
/// Register a type with ``CarrierRegistry``. Operators then name it in their configuration's `carriers` list by its
/// ``type``.
public protocol Carrier: Sendable, SendableMetatype {
    /// Options that the operator may set for this carrier in the configuration file.
    associatedtype Options: Configurable
    /// Reads the messages of one call's socket.
    associatedtype Dialect: CarrierDialect

    /// The name by which configuration asks for this carrier, such as `"vonage"`: a letter, then letters and digits.
    static var type: String { get }

    /// The carrier, described in one line for lists of carriers.
    static var summary: String { get }

    /// The path of the first entry's WebSocket. Default: `/calls/` and the type.
    static var standardPath: String { get }

    /// The prefix of the first entry's webhooks. Default: `/webhooks/` and the type.
    static var standardWebhooks: String { get }

    /// Calls bring the tokens of ``CarrierContext/address(forCall:)``. Default: true.
    ///
    /// False for a carrier that nothing tells the address of each call. The entry's `requireToken` then has no effect.
    static var bringsTokens: Bool { get }

    /// Returns the shape of the audio that calls will have, to check the sinks against it. Default: nil, not known.
    static func format(options: Options) -> AudioFormat?

    /// Makes the carrier of one configuration entry. Reads the secrets of its options, and may block for that.
    /// - Throws: the option that cannot be used, with its path below ``CarrierContext/place``.
    init(options: Options, context: CarrierContext) throws(ConfigurationProblem)

    /// The carrier's webhooks. Default: none.
    var webhooks: [CarrierWebhook] { get }

    /// Returns a judgement whether a request for a WebSocket is of this carrier. Several entries may share a path: an
    /// entry that is sure goes first. Default: maybe.
    func recognizes(_ request: CarrierRequest) -> CarrierRecognition

    /// Checks the carrier's own proof, such as a signature or a password, in a request for a WebSocket.
    /// Default: admits every request.
    ///
    /// The server checks the call's token, if the entry asks for one.
    func admit(_ request: CarrierRequest) throws(CarrierRefusal) -> CarrierAdmission

    /// Returns a new dialect, for the socket of an admitted request.
    func dialect(for admission: CarrierAdmission) -> Dialect
}

extension Carrier {
    public static var standardPath: String { "/calls/\(type)" }

    public static var standardWebhooks: String { "/webhooks/\(type)" }

    public static var bringsTokens: Bool { true }

    public static func format(options: Options) -> AudioFormat? { nil }

    public var webhooks: [CarrierWebhook] { [] }

    public func recognizes(_ request: CarrierRequest) -> CarrierRecognition { .maybe }

    public func admit(_ request: CarrierRequest) throws(CarrierRefusal) -> CarrierAdmission { CarrierAdmission() }
}

/// Facts about a carrier's configuration entry, and the means to make its addresses.
public struct CarrierContext: Sendable {
    /// The entry's name, unique among the carriers.
    public let name: String
    /// The entry's place in the configuration, for problems.
    public let place: ConfigurationPath
    private let makeAddress: @Sendable (String?) -> String

    /// Makes a context. The server does this for each entry; tests of a carrier make their own.
    /// - Parameters:
    ///   - name: the entry's name.
    ///   - place: the entry's path in the configuration.
    ///   - makeAddress: returns the WebSocket's address for a call, by the carrier's identifier of the call.
    public init(name: String, place: ConfigurationPath, makeAddress: @escaping @Sendable (String?) -> String) {
        self.name = name
        self.place = place
        self.makeAddress = makeAddress
    }

    /// Returns the address to which a call's WebSocket must connect, with a token for this call if the entry asks for
    /// one. The token admits one call, for a limited time.
    /// - Parameter uuid: the carrier's identifier for the call; the socket must send the same one. Nil admits any call.
    public func address(forCall uuid: String?) -> String { makeAddress(uuid) }
}

/// A judgement whether a request is of a carrier.
public enum CarrierRecognition: Int, Sendable, Comparable {
    /// The request cannot be of this carrier.
    case no
    /// Nothing speaks against it.
    case maybe
    /// The request has a mark of this carrier.
    case yes

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A request for a WebSocket that a carrier has admitted.
public struct CarrierAdmission: Sendable {
    /// The subprotocol to answer with; nil answers with none.
    public var subprotocol: String?
    /// The proof that admitted the request, if it may be used only once.
    public var proof: OneTimeProof?

    /// Makes an admission.
    public init(subprotocol: String? = nil, proof: OneTimeProof? = nil) {
        self.subprotocol = subprotocol
        self.proof = proof
    }
}

/// A proof that may be used only once, such as a signature with its own identifier.
///
/// The server remembers used proofs until they end, and refuses a second use.
public struct OneTimeProof: Sendable {
    /// The proof's unique identifier.
    public var identifier: String
    /// The time from which the proof is not valid any more.
    public var end: Date

    /// Makes a proof.
    public init(identifier: String, end: Date) {
        self.identifier = identifier
        self.end = end
    }
}
