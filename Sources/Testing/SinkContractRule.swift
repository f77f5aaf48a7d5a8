/// A rule of the sink contract. Its number and text are the same in `Docs/Internals/SinkContract.md`.
public struct SinkContractRule: Hashable, Sendable, CustomStringConvertible {
    /// The rule's number, such as `S8`.
    public let number: String
    /// The behaviour that the rule requires.
    public let text: String

    /// The number and the text, such as `S8: The sink creates every file through createFile, and leaves nothing else`.
    public var description: String { "\(number): \(text)" }

    // MARK: Configuration

    public static let name = Self(number: "S1", text: "The type is a letter, then letters and digits")
    public static let summary = Self(number: "S2", text: "The summary is one line and not empty")
    public static let optionsAsJSON = Self(
        number: "S3", text: "Every value of the options can be read back from its own JSON")
    public static let strictOptions = Self(number: "S4", text: "An option takes valid values and refuses all others")
    public static let answers = Self(
        number: "S5", text: "The type's answers about a format depend only on format and options")
    public static let formats = Self(number: "S6", text: "The sink takes at least one format that Callreel records")

    // MARK: Opening

    public static let refusal = Self(number: "S7", text: "A destination that cannot be opened is an error")
    public static let ownFiles = Self(
        number: "S8", text: "The sink creates every file through createFile, and leaves nothing else")
    public static let noOverwriting = Self(number: "S9", text: "The sink leaves an existing file unchanged")

    // MARK: Audio

    public static let anyCall = Self(
        number: "S10", text: "A call of any length ends with a receipt, even with no frame or one")
    public static let receiptFrames = Self(number: "S11", text: "The receipt counts the written frames")
    public static let framesByFile = Self(
        number: "S12", text: "The frames of the files are those of the call, each counted once")
    public static let chunking = Self(
        number: "S13", text: "The chunks' sizes and the call's first position change nothing")
    public static let independence = Self(
        number: "S14", text: "Instances at work at the same time do not affect each other")

    // MARK: Checkpoints

    public static let harmlessCheckpoint = Self(number: "S15", text: "A checkpoint loses and repeats no audio")
    public static let checkpointHolds = Self(
        number: "S16", text: "A checkpoint preserves the audio written before it")

    // MARK: The end

    public static let durability = Self(number: "S17", text: "A receipt means that the files are on stable storage")
    public static let release = Self(number: "S18", text: "The sink closes everything that it opened")

    // MARK: Failures

    public static let noSwallowing = Self(
        number: "S19", text: "A failed write ends with an error, and never with a receipt")
    public static let blame = Self(
        number: "S20", text: "An error states the reason, and blames the destination if it is at fault")
    public static let failedFiles = Self(number: "S21", text: "A failure preserves the audio written before it")
    public static let slowness = Self(number: "S22", text: "The sink waits for a slow destination")

    // MARK: Files of another time

    public static let wholeFiles = Self(
        number: "S23", text: "Repair leaves a complete file unchanged, and reports its frames")
    public static let dryRun = Self(
        number: "S24", text: "A dry run changes nothing, and reports what a real run would do")
    public static let repairTwice = Self(number: "S25", text: "A second repair finds nothing to do")
    public static let tornFiles = Self(
        number: "S26", text: "Repair keeps every whole frame, and leaves unknown content unchanged")
    public static let decoding = Self(
        number: "S27", text: "Decoding returns the receipt's frames, and the same samples if it states so")

    // MARK: Names of files

    public static let fileNames = Self(
        number: "S35", text: "If the type names its files' suffixes, no file has another suffix")

    // MARK: The whole call

    public static let events = Self(
        number: "S37", text: "An event of any type is taken, and changes nothing in the audio")
    public static let origins = Self(
        number: "S38", text: "Inserted silence and masked stretches count like the call's audio")
    public static let parts = Self(number: "S39", text: "A part ends like a call: with a receipt")
    public static let carriedState = Self(
        number: "S40", text: "An instance works with the state that another left, and without one")
    public static let probe = Self(
        number: "S41", text: "A probe leaves nothing, and does not say that a destination works that cannot be opened")

    // MARK: Destinations other than files

    public static let arrival = Self(
        number: "S42", text: "The audio that arrives at the destination is that of the receipt")
    public static let failedDestination = Self(
        number: "S43", text: "A failed destination ends the sink with an error, and never with a receipt")
    public static let retryable = Self(
        number: "S44", text: "An error of a destination that may come back can be retried")
    public static let hangingDestination = Self(
        number: "S45", text: "A verb ends by itself in bounded time, even if the destination hangs")
    public static let comeback = Self(number: "S46", text: "Once the destination is back, a new instance works")
    public static let wholeParts = Self(
        number: "S47", text: "The parts of a call together hold the call, each frame once")
    public static let channels = Self(number: "S48", text: "Each channel of the call stays its own")

    /// The rules that the kit checks, in the order of their numbers.
    public static let all: [Self] = [
        name, summary, optionsAsJSON, strictOptions, answers, formats, refusal, ownFiles, noOverwriting, anyCall,
        receiptFrames,
        framesByFile, chunking, independence, harmlessCheckpoint, checkpointHolds, durability, release, noSwallowing,
        blame,
        failedFiles, slowness, wholeFiles, dryRun, repairTwice, tornFiles, decoding, fileNames, events, origins,
        parts, carriedState, probe, arrival, failedDestination, retryable, hangingDestination, comeback, wholeParts,
        channels,
    ]
}
