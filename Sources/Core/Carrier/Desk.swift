/// The meaning of a socket's binary messages.
public enum BinaryMessages: Sendable {
    /// The dialect reads them.
    case dialect
    /// They are the call's audio. The server takes them without asking the dialect.
    case audio
}

/// The coding of audio bytes that Callreel takes.
public struct AudioCoding: Hashable, Sendable, CustomStringConvertible {
    /// The coding's name, for messages.
    public let description: String

    /// Linear 16-bit samples, little-endian, interleaved by channel.
    public static let pcm16 = AudioCoding(description: "pcm16")

    /// Names a coding. A call whose coding nothing decodes is refused when it begins.
    public init(description: String) { self.description = description }
}

/// The audio of a call, as a carrier announces it.
public struct CallAudio: Sendable {
    /// The coding of the bytes given to ``Desk/audio(_:)``, and of binary messages with ``BinaryMessages/audio``. A
    /// dialect that decodes by itself announces ``AudioCoding/pcm16``.
    public var coding: AudioCoding
    /// Frames a second.
    public var sampleRate: Int
    /// Samples in a frame.
    public var channels: Int

    /// Describes audio.
    public init(_ coding: AudioCoding = .pcm16, sampleRate: Int, channels: Int = 1) {
        self.coding = coding
        self.sampleRate = sampleRate
        self.channels = channels
    }
}

/// The place where a dialect says what a call's messages mean.
///
/// Each verb takes effect at once, in the order of the messages.
public struct Desk {
    private let recipient: any DeskRecipient

    /// Makes a desk.
    package init(_ recipient: any DeskRecipient) { self.recipient = recipient }

    /// The call has begun.
    public var hasBegun: Bool { recipient.hasBegun }

    /// Begins the call.
    /// - Parameters:
    ///   - call: the carrier's facts about the call.
    ///   - audio: the audio that follows.
    ///   - binary: the meaning of binary messages from now on.
    /// - Throws: the reason to refuse the call: unknown coding, rate or number of channels, another number of legs than
    ///   of channels, a token for another call, or a second beginning.
    public mutating func begin(
        _ call: CallFacts, audio: CallAudio, binary: BinaryMessages = .dialect
    ) throws(CarrierRefusal) {
        guard audio.coding == .pcm16 else {
            throw CarrierRefusal(.unsupported, "the coding \(audio.coding) is not supported; send pcm16")
        }
        guard AudioFormat.supportedSampleRates.contains(audio.sampleRate) else {
            let rates = AudioFormat.supportedSampleRates.map(String.init).joined(separator: ", ")
            throw CarrierRefusal(.unsupported, "the sample rate \(audio.sampleRate) is not one of \(rates)")
        }
        guard (1...2).contains(audio.channels) else {
            throw CarrierRefusal(.unsupported, "the number of channels, \(audio.channels), is not 1 or 2")
        }
        if let legs = call.legs, legs.count != audio.channels {
            throw CarrierRefusal(
                .unsupported, "the call has \(legs.count) legs, but its audio has \(audio.channels) channels")
        }
        guard !recipient.hasBegun else { throw CarrierRefusal(.policy, "the call has already begun") }
        let format = AudioFormat(sampleRate: audio.sampleRate, channels: audio.channels)
        try recipient.begin(call, format: format, binary: binary)
    }

    /// Adds audio in the announced coding, such as little-endian 16-bit samples for `pcm16`. Call it after
    /// ``begin(_:audio:binary:)``. A message may end within a frame.
    public mutating func audio(_ bytes: Span<UInt8>) { recipient.audio(bytes) }

    /// Adds an event of the call, such as a digit.
    public mutating func event(_ type: String, _ data: [String: JSONValue]) { recipient.event(type, data) }

    /// Counts a message without usable content. The call goes on.
    public mutating func malformed(_ reason: String) { recipient.malformed(reason) }

    /// Sends a text message to the carrier.
    public mutating func reply(_ text: String) { recipient.reply(text: text) }

    /// Sends a binary message to the carrier.
    public mutating func reply(binary: [UInt8]) { recipient.reply(binary: binary) }

    /// Ends the call in order, and closes the connection with status 1000.
    public mutating func end(_ reason: String) { recipient.end(call: reason) }
}

/// The receiver of what a dialect says.
package protocol DeskRecipient: AnyObject {
    var hasBegun: Bool { get }
    func begin(_ call: CallFacts, format: AudioFormat, binary: BinaryMessages) throws(CarrierRefusal)
    func audio(_ bytes: Span<UInt8>)
    func event(_ type: String, _ data: [String: JSONValue])
    func malformed(_ reason: String)
    func reply(text: String)
    func reply(binary: [UInt8])
    func end(call reason: String)
}
