import CallreelCore
import Foundation

/// Target of a ``PipeSink``.
struct PipeOptions: Configurable {
    var path = ""

    static let fields: [Field<Self>] = [
        .string("path", \.path, type: "path", "The file to write to, such as a FIFO. It must exist.") {
            $0.isEmpty ? "is not a path" : nil
        }
    ]
}

/// Writes samples into an existing file, such as a FIFO, and blocks there while it has no reader.
///
/// It is the hanging destination of the self-test.
struct PipeSink: ~Copyable, AudioSink {
    static let type = "selftestPipe"
    static let summary = "bare samples into a FIFO, for callreel selftest"

    private let path: String
    private let descriptor: Int32
    private var frames = 0

    /// Opens the destination for reading as well, because opening a FIFO only for writing would wait for a reader.
    init(options: PipeOptions, context: SinkContext) throws(SinkError) {
        path = options.path
        descriptor = unsafe open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw SinkError(.open, "cannot open \(path)", underlying: errno) }
    }

    mutating func write(_ chunk: borrowing PCMChunk) throws(SinkError) {
        try chunk.withSamples { samples throws(SinkError) in
            let failure: Int32? = unsafe samples.bytes.withUnsafeBytes { buffer in
                var done = 0
                while done < buffer.count {
                    let count = unsafe systemWrite(descriptor, buffer.baseAddress! + done, buffer.count - done)
                    if count < 0, errno == EINTR { continue }
                    if count <= 0 { return errno }
                    done += count
                }
                return nil
            }
            if let failure { throw SinkError(.write, "cannot write \(path)", underlying: failure) }
        }
        frames += chunk.frameCount
    }

    consuming func finish(_ end: CallEnd) -> SinkReceipt { SinkReceipt(frames: frames) }

    deinit { close(descriptor) }
}

/// Calls `write(2)`, under a name that no method called `write` hides.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    unsafe write(descriptor, bytes, count)
}
