import CallreelCore
import CallreelServer
import CallreelSinks
import Foundation
import TestSupport
import Testing

@testable import CallreelCarriers

@Suite struct RecordedCallTests {
    /// Writes PCM to a separate file for the client.
    private func pcmFile(_ server: TestServer) async throws -> (path: String, pcm: Data) {
        let pcm = try await Speech.pcm()
        let path = server.directory.path + "/speech.pcm"
        try pcm.write(to: URL(fileURLWithPath: path))
        return (path, pcm)
    }

    /// Expects exactly this PCM in every format of a recording, as other programs read it.
    private func expect(_ recording: Recording, holds pcm: Data, on server: TestServer) async throws {
        let rate = recording.format.sampleRate
        #expect(try await Judge.wavPCM(server.file("wav", of: recording), rate: rate) == pcm)
        #expect(try await Judge.flacPCM(server.file("flac", of: recording)) == pcm)
        #expect(try Data(contentsOf: URL(fileURLWithPath: server.file("raw", of: recording))) == pcm)
        #expect(recording.framesReceived == pcm.count / 2)
        for sink in recording.sinks {
            #expect(sink.state == .complete)
            #expect(sink.written == recording.framesReceived && sink.silence == 0 && sink.lost == 0)
            for file in sink.files {
                #expect(file.frames == recording.framesReceived)
                let path = server.recordings + "/" + file.name
                let sum = String(decoding: try await Program("sha256sum").output([path]).prefix(64), as: UTF8.self)
                #expect(file.sha256 == sum)
                #expect(file.bytes == (try Data(contentsOf: URL(fileURLWithPath: path))).count)
            }
        }
    }

    @Test(arguments: AudioFormat.supportedSampleRates) func `the same PCM comes out of every format at every rate`(
        rate: Int
    ) async throws {
        try await TestServer.run { server in
            let (path, pcm) = try await pcmFile(server)
            #expect(pcm.count == 352_000)
            let ending = try await PythonCall(server.cable, pcm: path, rate: rate).place()
            #expect(ending.map(\.code) == [1000])
            let recording = try await server.finished()[0]
            #expect(recording.format == AudioFormat(sampleRate: rate))
            #expect(recording.endReason == "the carrier closed the call")
            try await expect(recording, holds: pcm, on: server)
            let info = try await Judge.soundFileInfo(server.file("wav", of: recording))
            #expect(info.contains("Sample Rate : \(rate)"))
        }
    }

    @Test func `messages of any length, odd and empty ones too, are right to the byte`() async throws {
        try await TestServer.run { server in
            let (path, pcm) = try await pcmFile(server)
            _ = try await PythonCall(server.cable, pcm: path, ["cuts": "odd"]).place()
            try await expect(try await server.finished()[0], holds: pcm, on: server)
        }
    }

    @Test func `a message in fragments is one message`() async throws {
        try await TestServer.run { server in
            let (path, pcm) = try await pcmFile(server)
            _ = try await PythonCall(server.cable, pcm: path, ["fragments": true]).place()
            try await expect(try await server.finished()[0], holds: pcm + pcm, on: server)
        }
    }

    @Test func `digits between the audio are kept at their frames`() async throws {
        try await TestServer.run { server in
            let (path, pcm) = try await pcmFile(server)
            let texts: JSONValue = .array([
                .array([0, #"{"event":"websocket:dtmf","digit":"1","duration":260}"#]),
                .array([64000, #" {"digit":"2","duration":130}"#]),
                .array([64001, #"{"event":"websocket:dtmf","digit":3}"#]),
                .array([128_000, ##"{"dtmf":{"digit":"#"}}"##]),
                .array([128_000, #"{"dtmf":"*"}"#]),
                .array([192_000, #"{"event":"websocket:notify","payload":{"a":1}}"#]),
                .array([192_000, "not JSON"]),
                .array([352_000, #"{"event":"websocket:dtmf","digit":"9","duration":100}"#]),
            ])
            _ = try await PythonCall(server.cable, pcm: path, ["cuts": "odd", "texts": texts]).place()
            let recording = try await server.finished()[0]
            try await expect(recording, holds: pcm, on: server)
            let digits = recording.events.filter { $0.type == "dtmf" }
            #expect(digits.map { $0.data["digit"] } == ["1", "2", "3", "#", "*", "9"])
            #expect(digits.map(\.frame.frames) == [0, 32000, 32000, 64000, 64000, 176_000])
            #expect(digits[1].data["duration"] == 130)
            #expect(recording.events.contains { $0.type == "notify" && $0.frame.frames == 96000 })
            #expect(recording.malformedMessages == 1)
        }
    }

    @Test func `twenty calls at once never mix`() async throws {
        try await TestServer.run { server in
            let (path, pcm) = try await pcmFile(server)
            let endings = try await PythonCall(
                server.cable, pcm: path,
                [
                    "calls": 20, "cuts": .array([641, 1279, 3]),
                    "urls": .array((0..<20).map { _ in .string(server.cable) }),
                ]
            ).place()
            #expect(endings.map(\.code) == Array(repeating: 1000, count: 20))
            let recordings = try await server.finished(20)
            #expect(Set(recordings.compactMap(\.call.from)) == Set((1000..<1020).map(String.init)))
            for recording in recordings {
                #expect(recording.name.contains(recording.call.from ?? "nobody"))
                try await expect(recording, holds: pcm, on: server)
            }
            #expect(server.directory.files(in: "recordings/.partial").isEmpty)
        }
    }

    @Test(arguments: ["abort", "eof"]) func `a call that ends without a closing handshake keeps every frame`(
        end: String
    ) async throws {
        try await TestServer.run { server in
            let (path, pcm) = try await pcmFile(server)
            _ = try await PythonCall(server.cable, pcm: path, ["end": .string(end), "texts": .array([])]).place()
            let recording = try await server.finished()[0]
            #expect(recording.endReason != "the carrier closed the call")
            try await expect(recording, holds: pcm, on: server)
        }
    }

    @Test func `a shutdown finishes running calls and tells the carrier`() async throws {
        let directory = TemporaryDirectory()
        let call = try await TestServer.run(in: directory) { server in
            let (path, _) = try await pcmFile(server)
            return try await PythonCall(server.cable, pcm: path, ["hold": true]).start()
        }
        let result = try await call.result()
        #expect(result.text.contains("1001"))
        let files = directory.files(in: "recordings").filter { !$0.hasPrefix(".") }
        #expect(files.map { ($0 as NSString).pathExtension } == ["flac", "json", "raw", "wav"])
        let raw = try #require(files.first { $0.hasSuffix(".raw") })
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: directory.path + "/recordings/" + raw))
                == (try await Speech.pcm()))
    }

    @Test func `audio that comes as base64 text is audio`() async throws {
        try await TestServer.run { server in
            let pcm = Data((0..<4000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            let texts = stride(from: 0, to: pcm.count, by: 333).map { start -> JSONValue in
                let piece = pcm[start..<min(start + 333, pcm.count)].base64EncodedString()
                return .array([0, .string(JSONValue.object(["audio": .string(piece)]).json())])
            }
            _ = try await PythonCall(server.cable, ["texts": .array(texts)]).place()
            try await expect(try await server.finished()[0], holds: pcm, on: server)
        }
    }

    @Test func `frames that come in one piece with the upgrade request are recorded`() async throws {
        try await TestServer.run { server in
            let answer = try await Judge.python(
                """
                import socket, sys
                def frame(first, payload):
                    return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload
                hello = b'{"event":"websocket:connected","content-type":"audio/l16;rate=8000"}'
                request = (b'GET ' + sys.argv[2].encode() + b' HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: keep-alive, Upgrade\\r\\n'
                           b'Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n')
                s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=30)
                s.sendall(request + frame(0x81, hello) + frame(0x82, b'abcdef') + frame(0x88, bytes([3, 232])))
                while data := s.recv(4096): sys.stdout.buffer.write(data)
                """, [String(server.address.port), server.target])
            // The answer to the key in RFC 6455, section 1.3, then the close frame, echoed.
            let text = String(decoding: answer, as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 101") && text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
            #expect(answer.suffix(4) == Data([0x88, 2, 3, 232]))
            let recording = try await server.finished()[0]
            #expect(recording.format.sampleRate == 8000)
            try await expect(recording, holds: Data("abcdef".utf8), on: server)
        }
    }

    @Test func `a sink without room holds the caller back, and nothing is lost`() async throws {
        var registry = SinkRegistry.builtIn
        registry.register(GatedSink.self)
        let sinks = #"[{"type": "raw"}, {"type": "gated", "buffer": 0.5, "stallLimit": 600, "holdLimit": 600}]"#
        try await TestServer.run(sinks: sinks, registry: registry) { server in
            // Six minutes at once.
            let pcm = server.directory.path + "/long.pcm"
            let long = Data((0..<12_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) })
            try long.write(to: URL(fileURLWithPath: pcm))
            // Digits between the audio: each hands over the audio before it, in the middle of a read.
            let texts = (0..<180).map { JSONValue.array([.integer($0 * 64000), #"{"digit":"1"}"#]) }
            let call = PythonCall(server.cable, pcm: pcm, ["cuts": .array([6400]), "texts": .array(texts)])
            async let endings = call.place()
            // The other sink takes all available audio, and then gets no more either: the call waits.
            let held = try await eventually("a call that stands still") {
                let first = try await liveFrames(server)
                try await Task.sleep(for: .milliseconds(500))
                let second = try await liveFrames(server)
                return first == second && first > 0 ? first : nil
            }
            // A buffer of half a second and one read. The rest waits in the system's buffers and at the sender.
            #expect(held < 16000 * 10)
            await GatedSink.gate.open()
            #expect(try await endings.map(\.code) == [1000])
            let recording = try await server.finished()[0]
            #expect(recording.sinks.map(\.written) == [6_000_000, 6_000_000])
            #expect(recording.sinks.map(\.silence) == [0, 0])
            #expect(recording.events.map(\.frame.frames) == (0..<180).map { $0 * 32000 })
            #expect(try Data(contentsOf: URL(fileURLWithPath: server.file("raw", of: recording))) == long)
        }
    }

    private func liveFrames(_ server: TestServer) async throws -> Int {
        let state = try JSONValue(parsing: try await Program("curl").output(["-s", server.http + "/api/calls"]))
        return Int((state["live"]?.elements.first?["seconds"]?.double ?? 0) * 16000)
    }
}

/// A sink whose first write waits for the test.
private struct GatedSink: AudioSink {
    struct Options: Configurable {
        static let fields: [Field<Self>] = []
    }

    static let type = "gated"
    static let summary = "waits at a gate"
    static let gate = Gate()

    private var frames = 0

    init(options: Options, context: SinkContext) {}

    mutating func write(_ chunk: borrowing PCMChunk) async {
        frames += chunk.frameCount
        await Self.gate.wait()
    }

    consuming func finish(_ end: CallEnd) -> SinkReceipt { SinkReceipt(frames: frames) }
}

/// Holds back its callers until it is opened.
private actor Gate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func wait() async {
        if isOpen { return }
        await withCheckedContinuation { waiting.append($0) }
    }

    func open() {
        isOpen = true
        for continuation in waiting { continuation.resume() }
        waiting = []
    }
}
