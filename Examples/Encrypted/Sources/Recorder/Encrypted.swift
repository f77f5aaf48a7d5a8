import CallreelCore
import Foundation

/// Records a call encrypted to a public key, in `<stem>.encrypted`.
///
/// Each chunk is a message of its own and is written at once. So a killed program loses nothing that the sink has
/// taken, and no checkpoint is needed.
struct Encrypted: ~Copyable, AudioSink {
    static let type = "encrypted"
    static let summary = "audio encrypted to a public key, readable up to a crash"

    static func files(options: EncryptedOptions) -> SinkFiles { .suffixes(["encrypted"]) }

    private let facts: [UInt8]
    private var stream: SealedStream
    private var frames = 0
    private let file: OutputFile

    init(options: EncryptedOptions, context: SinkContext) throws(SinkError) {
        // All that can fail comes before the first property is set: Swift gives up no noncopyable value in between.
        let facts = EncryptedFile.facts(context.format)
        let stream = try SealedStream(to: EncryptedOptions.bytes(ofKey: options.publicKey) ?? [])
        let file = try context.createFile("encrypted")
        try file.write((facts + stream.opening).span.bytes)
        self.facts = facts
        self.stream = stream
        self.file = file
    }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        let sealed = chunk.withSamples { stream.seal($0.bytes, facts: facts) }
        try file.write(EncryptedFile.frame(sealed).span.bytes)
        frames += chunk.frameCount
    }

    /// Writes the message that says that the file is whole.
    consuming func finish(_ end: CallEnd) throws(SinkError) -> SinkReceipt {
        let sealed = stream.seal([UInt8]().span.bytes, facts: facts, isLast: true)
        try file.write(EncryptedFile.frame(sealed).span.bytes)
        let receipt = SinkReceipt(
            frames: frames, framesByFile: [file.name: frames],
            details: ["encryption": "crypto_secretstream_xchacha20poly1305"])
        try file.close()
        return receipt
    }

    /// Cuts a torn message off the end. What stands before it cannot be checked without the secret key.
    static func repair(_ path: String, format: AudioFormat, dryRun: Bool) throws(SinkError) -> FileRepair? {
        do {
            let url = URL(filePath: path)
            let file = try dryRun ? FileHandle(forReadingFrom: url) : FileHandle(forUpdating: url)
            defer { try? file.close() }
            let byteCount = Int(try file.seekToEnd())
            guard let found = try EncryptedFile.survey(file, byteCount: byteCount, format: format) else {
                throw SinkError(.finish, "\(path) is not an encrypted recording, or is damaged")
            }
            let rest = byteCount - found.end
            if !dryRun {
                if rest > 0 { try file.truncate(atOffset: UInt64(found.end)) }
                try file.synchronize()
            }
            return FileRepair(
                frames: found.frames, bytesCut: rest, change: rest > 0 ? "torn message cut (\(rest) bytes)" : nil,
                audioStart: EncryptedFile.headerBytes)
        } catch {
            throw error as? SinkError ?? SinkError(.open, "cannot repair \(path)", cause: error)
        }
    }
}
