import CallreelCore
import Foundation

/// A recording made by the kit.
struct TestRecording: Sendable {
    var recording: PublishedRecording
    /// The contents of its files, in order.
    let contents: [[UInt8]]

    /// Returns the recording for a further attempt.
    func again(_ attempt: Int) -> Self {
        var copy = self
        copy.recording.attempt = attempt
        return copy
    }
}

/// Makes recordings in a recordings directory of its own, and sees if anything in it or beside it changes.
struct DeliveryRoom: Sendable {
    /// The time at which every call began: a fixed one, so that two runs make the same.
    private static let startedAt = Date(timeIntervalSince1970: 1_795_342_500)
    private static let format = AudioFormat(sampleRate: 8000)

    private let sandbox: Sandbox
    let directory: String
    /// A path that does not exist. Facts of the call try to create it through a shell.
    var trap: String { sandbox.path + "/trap" }
    private let deliveryType: String
    private var count = 0
    private var expected: [String: Entry] = [:]

    /// The state of a file or a directory.
    private struct Entry: Hashable {
        var number: UInt64
        var mode: Int
        var content: Data?
    }

    init(deliveryType: String) throws(CannotCheck) {
        sandbox = try Sandbox()
        directory = sandbox.path + "/recordings"
        self.deliveryType = deliveryType
        do { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) } catch {
            throw CannotCheck("cannot create \(directory): \(error.localizedDescription)")
        }
        try OpenDescriptor.checkVisibility(in: sandbox.room().path)
        expected = look()
    }

    /// Publishes a recording, with its manifest.
    /// - Parameters:
    ///   - name: the recording's name, made from its number.
    ///   - call: the facts of the call.
    ///   - files: makes the contents of its files, by suffix.
    mutating func publish(
        named name: (Int) -> String = { "2026-11-22/101500Z-447700900123-\($0)" },
        call: CallFacts = CallFacts(
            carrier: "contract", from: "447700900123", to: "441632960000",
            uuid: "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"),
        files: (Int) -> [String: [UInt8]]
    ) throws(CannotCheck) -> TestRecording {
        count += 1
        let name = name(count), contents = files(count).sorted { $0.key < $1.key }
        var manifest = Recording(
            id: RecordingID(), name: name, call: call, format: Self.format, startedAt: Self.startedAt,
            ended: (Self.startedAt + 0.1, "the call ended"))
        manifest.framesReceived = DeliveryTone.frames
        manifest.deliveries = [DeliveryEntry(type: deliveryType, name: deliveryType)]
        do {
            let path = "\(directory)/\(name)"
            try FileManager.default.createDirectory(atPath: path.parentPath, withIntermediateDirectories: true)
            for (suffix, content) in contents {
                try Data(content).write(to: URL(fileURLWithPath: "\(path).\(suffix)"))
                let measured = try FileSystem.measure("\(path).\(suffix)")
                var sink = Recording.Sink(type: suffix, name: suffix, state: .complete)
                sink.written = DeliveryTone.frames
                sink.files = [
                    .init(
                        name: "\(name).\(suffix)", bytes: measured.bytes, frames: DeliveryTone.frames, start: .start,
                        sha256: measured.sha256)
                ]
                manifest.sinks.append(sink)
            }
            try manifest.encoded().write(to: URL(fileURLWithPath: path + ".json"))
        } catch {
            throw CannotCheck("cannot make the recording \(name): \(error)")
        }
        expected = look()
        return TestRecording(
            recording: PublishedRecording(manifest, in: directory, attempt: 1), contents: contents.map(\.value))
    }

    /// Removes a recording's first file, as an operator may.
    mutating func removeFile(of test: TestRecording) {
        if let file = test.recording.files.first { try? FileManager.default.removeItem(atPath: file.path) }
        expected = look()
    }

    /// Returns the first change since the last recording was made, in words, and restores what it can. Nil if there is
    /// none.
    mutating func change() -> (words: String, isInside: Bool)? {
        let found = look()
        defer { expected = found }
        for path in Set(found.keys).union(expected.keys).sorted() where found[path] != expected[path] {
            let isInside = path.hasPrefix("recordings/"), name = isInside ? String(path.dropFirst(11)) : path
            guard let before = expected[path] else { return ("\(name) is new", isInside) }
            guard let after = found[path] else { return ("\(name) is gone", isInside) }
            let what =
                before.content != after.content
                ? "another content" : before.number != after.number ? "become another file" : "another mode"
            return ("\(name) has \(what)", isInside)
        }
        return nil
    }

    /// Returns everything in the kit's directory.
    private func look() -> [String: Entry] {
        let paths = FileManager.default.enumerator(atPath: sandbox.path)?.compactMap { $0 as? String } ?? []
        return Dictionary(
            paths.map { path in
                var status = stat()
                _ = unsafe lstat("\(sandbox.path)/\(path)", &status)
                return (
                    path,
                    Entry(
                        number: UInt64(truncatingIfNeeded: status.st_ino), mode: Int(status.st_mode),
                        content: FileSystem.isDirectory("\(sandbox.path)/\(path)")
                            ? nil : contents("\(sandbox.path)/\(path)"))
                )
            }, uniquingKeysWith: { one, _ in one })
    }
}

/// A tone of a tenth of a second, of another pitch for each recording.
struct DeliveryTone {
    /// The length of each recording.
    static let frames = 800

    private let samples: [Int16]

    init(_ number: Int) {
        samples = (0..<Self.frames).map { frame in
            Int16(sin(Double(frame) * 2 * .pi * Double(100 + 7 * number) / 8000) * 9000)
        }
    }

    /// The tone as a WAV file (RIFF, PCM of 16 bits) and as bare samples.
    var files: [String: [UInt8]] {
        func little(_ value: Int, _ bytes: Int) -> [UInt8] { (0..<bytes).map { UInt8(value >> (8 * $0) & 0xFF) } }
        let data = samples.flatMap { little(Int(UInt16(bitPattern: $0)), 2) }
        let format = little(1, 2) + little(1, 2) + little(8000, 4) + little(16_000, 4) + little(2, 2) + little(16, 2)
        let wav =
            Array("RIFF".utf8) + little(36 + data.count, 4) + Array("WAVEfmt ".utf8) + little(16, 4) + format
            + Array("data".utf8) + little(data.count, 4) + data
        return ["wav": wav, "raw": data]
    }
}
