import CallreelCore
import CallreelSinks
import Foundation

/// A published recording, with the number of its test call.
struct PublishedCall: Sendable {
    /// The recordings directory.
    let directory: String
    let recording: Recording
    let number: Int

    /// Returns the published recordings in a directory, in the order of their calls.
    static func all(in directory: String) throws -> [PublishedCall] {
        guard let walk = FileManager.default.enumerator(atPath: directory) else { return [] }
        var calls: [PublishedCall] = []
        for case let path as String in walk {
            if path.lastPathComponent.hasPrefix(".") { walk.skipDescendants() }
            guard path.hasSuffix(".json"), !path.hasPrefix("."),
                let data = FileManager.default.contents(atPath: directory + "/" + path)
            else {
                continue
            }
            let recording = try Recording(json: data)
            guard let number = recording.call.headers[TestCall.key]?.double.map({ Int($0) }) else {
                throw SelfTestError("\(path) is not the manifest of a test call")
            }
            calls.append(PublishedCall(directory: directory, recording: recording, number: number))
        }
        return calls.sorted { $0.number < $1.number }
    }

    var manifestPath: String { "\(directory)/\(recording.name).json" }

    /// Returns the path of one of its files.
    func path(of file: Recording.File) -> String { "\(file.directory ?? directory)/\(file.name)" }

    /// Returns the sink of this name.
    func sink(_ name: String) -> Recording.Sink? { recording.sinks.first { $0.name == name } }

    /// Returns every sample in a sink's files.
    func samples(of sink: Recording.Sink) throws -> [Int16] {
        try sink.files.reduce(into: []) { $0 += try AudioContent.samples(path(of: $1)) }
    }

    /// Compares one sink's files with the sent audio and with the manifest, and adds the result to a row.
    /// - Parameters:
    ///   - sent: frames sent in the call.
    ///   - allowed: the most of these frames that may be missing at the end.
    func check(_ name: String, sent: Int, allowed: Int = 0, state: Recording.SinkState = .complete, into row: inout Row)
    {
        guard let sink = sink(name) else {
            return row.add(sent: sent, held: 0, allowed: allowed, problem: "call \(number) has no sink \(name)")
        }
        do {
            let samples = try samples(of: sink)
            row.add(sent: sent, held: samples.count, allowed: allowed)
            func expect(_ isRight: Bool, _ problem: @autoclosure () -> String) {
                if !isRight { row.problems.append("call \(number): \(problem())") }
            }
            if let frame = TestSignal(call: number).firstDifference(in: samples) {
                row.problems.append("call \(number): frame \(frame) differs from the sent audio")
            }
            expect(
                sink.state == state,
                "the state is \(sink.state.rawValue), not \(state.rawValue)\(sink.error.map { ": \($0)" } ?? "")")
            expect(
                sink.written == samples.count,
                "the manifest says \(sink.written) frames written, and the files hold \(samples.count)")
            expect(sink.silence == 0, "\(sink.silence) frames are silence")
            let sum = sink.written + sink.silence + sink.lost
            expect(
                sum == recording.framesReceived,
                "written + silence + lost is \(sum), not the \(recording.framesReceived) received")
            expect(
                recording.framesReceived <= sent && recording.framesReceived >= sent - allowed,
                "the manifest says \(recording.framesReceived) frames received, and \(sent) were sent")
        } catch {
            row.add(sent: sent, held: 0, allowed: allowed, problem: "call \(number): \(error)")
        }
    }
}

/// Audio in files, as Callreel's own reader decodes it.
enum AudioContent {
    /// Reads every sample in a file. A `.raw` file holds bare samples; libsndfile reads any other file.
    static func samples(_ path: String) throws -> [Int16] {
        if path.hasSuffix(".raw") {
            return samples(try Data(contentsOf: URL(fileURLWithPath: path)))
        }
        var reader = try AudioFileReader(path: path)
        var samples: [Int16] = []
        while case let more = try reader.read(maximumFrames: 1 << 16), !more.isEmpty { samples += more }
        return samples
    }

    /// Decodes samples from their little-endian bytes, and ignores a last odd byte.
    static func samples(_ bytes: Data) -> [Int16] {
        let bytes = [UInt8](bytes)
        return (0..<bytes.count / 2).map { Int16(bitPattern: UInt16(bytes[2 * $0]) | UInt16(bytes[2 * $0 + 1]) << 8) }
    }
}
