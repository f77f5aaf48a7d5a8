/// A rule of the sink contract. Its number and text are the same in `Docs/Internals/SinkContract.md`.
public struct SinkContractRule: Hashable, Sendable, CustomStringConvertible {
    /// The rule's number, such as `S8`.
    public let number: String
    /// The behaviour that the rule requires.
    public let text: String

    /// The number and the text, such as `S8: Every file is made through createFile, and nothing else is left behind`.
    public var description: String { "\(number): \(text)" }

    // MARK: Configuration

    public static let name = Self(number: "S1", text: "The type is a letter, then letters and digits")
    public static let summary = Self(number: "S2", text: "The summary is one line that says something")
    public static let optionsAsJSON = Self(
        number: "S3", text: "Every value of the options can be read back from its own JSON")
    public static let strictOptions = Self(number: "S4", text: "An option takes what it is for and refuses the rest")
    public static let answers = Self(
        number: "S5", text: "What the type says of a format depends on nothing but format and options")
    public static let formats = Self(number: "S6", text: "At least one format that the program records is taken")

    // MARK: Opening

    public static let refusal = Self(number: "S7", text: "A destination that cannot be opened is an error")
    public static let ownFiles = Self(
        number: "S8", text: "Every file is made through createFile, and nothing else is left behind")
    public static let noOverwriting = Self(number: "S9", text: "A file that exists is left as it is")

    // MARK: Audio

    public static let anyCall = Self(
        number: "S10", text: "A call of any length comes to a receipt, with no frame and with one too")
    public static let receiptFrames = Self(number: "S11", text: "The receipt counts the frames that were written")
    public static let framesByFile = Self(
        number: "S12", text: "The frames of the files are those of the call, each counted once")
    public static let chunking = Self(
        number: "S13", text: "How a call is cut into chunks, and where it begins, changes nothing")
    public static let independence = Self(
        number: "S14", text: "Instances at work side by side do not know of each other")

    // MARK: Checkpoints

    public static let harmlessCheckpoint = Self(number: "S15", text: "A checkpoint loses nothing and repeats nothing")
    public static let checkpointHolds = Self(
        number: "S16", text: "What was written before a checkpoint stands after it")

    // MARK: The end

    public static let durability = Self(number: "S17", text: "A receipt means that the files are on stable storage")
    public static let release = Self(number: "S18", text: "Everything that was opened is given back")

    // MARK: Failures

    public static let noSwallowing = Self(number: "S19", text: "A failed write is an error, and never a receipt")
    public static let blame = Self(
        number: "S20", text: "An error says what happened, and that the destination is to blame where it is")
    public static let failedFiles = Self(number: "S21", text: "What stood before a failure stands after it")
    public static let slowness = Self(number: "S22", text: "A slow destination is waited for")

    // MARK: Files of another time

    public static let wholeFiles = Self(
        number: "S23", text: "Repair leaves a whole file as it is, and knows its frames")
    public static let dryRun = Self(number: "S24", text: "A dry run changes nothing, and says what a real one would do")
    public static let repairTwice = Self(number: "S25", text: "A second repair finds nothing to do")
    public static let tornFiles = Self(
        number: "S26", text: "Repair keeps every whole frame, and leaves alone what it cannot understand")
    public static let decoding = Self(
        number: "S27", text: "Decoding gives what the receipt counted, and the same samples where it says so")

    // MARK: Names of files

    public static let fileNames = Self(
        number: "S35", text: "Where the suffixes of files are named beforehand, no file has another")

    /// The rules that the kit checks, in the order of their numbers.
    public static let all: [Self] = [
        name, summary, optionsAsJSON, strictOptions, answers, formats, refusal, ownFiles, noOverwriting, anyCall,
        receiptFrames,
        framesByFile, chunking, independence, harmlessCheckpoint, checkpointHolds, durability, release, noSwallowing,
        blame,
        failedFiles, slowness, wholeFiles, dryRun, repairTwice, tornFiles, decoding, fileNames,
    ]
}
