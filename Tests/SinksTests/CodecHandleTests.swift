import CallreelCore
import Foundation
import TestSupport
import Testing

@testable import CallreelSinks

/// The handles over libsndfile and libFLAC remember the error "no space left". Both libraries forget it.
@Suite struct CodecHandleTests {
    /// Gives a body a new file, and a function that makes its device full.
    private func withFileThatFillsUp(_ body: (_ file: any DiskFile, _ fill: () throws -> Void) throws -> Void) throws {
        let workspace = try Workspace()
        let path = workspace.file("file")
        let file = try FileSystem.open(path, FileOpening(.create(mode: 0o600)))
        try body(file) { try fillUp(path) }
    }

    /// Replaces a file with a device that is always full, under every open descriptor of it.
    private func fillUp(_ path: String) throws {
        let full = unsafe open("/dev/full", O_RDWR)
        try #require(full >= 0)
        defer { close(full) }
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
            .filter { (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path }
        try #require(!open.isEmpty)
        for descriptor in open { #expect(dup2(full, descriptor) == descriptor) }
    }

    private let format = AudioFormat(sampleRate: 8000)

    @Test func `a WAV header that cannot be rewritten is an error, and a frame that cannot be written too`() throws {
        try withFileThatFillsUp { file, fill in
            var sound = try SoundFile(creatingWAVOn: file, encoding: .pcm16, format: format, texts: [])
            try sound.write([1, 2, 3].span)
            try sound.refreshHeader()
            try fill()
            let header = #expect(throws: CodecFailure.self) { try sound.refreshHeader() }
            #expect(header?.systemError == ENOSPC)
            let frames = #expect(throws: CodecFailure.self) { try sound.write([4].span) }
            #expect(frames?.systemError == ENOSPC)
            #expect(
                frames?.sinkError(.write, "cannot write x").description == "cannot write x: No space left on device")
        }
    }

    @Test func `a FLAC whose last block or header cannot be written is an error`() throws {
        try withFileThatFillsUp { file, fill in
            var encoder = try FLACEncoder(
                file: file, format: format, settings: .init(level: 5, blockSize: 576, verify: false),
                comments: [],
                padding: 0)
            try encoder.write([1, 2, 3].span)
            try fill()
            do throws(CodecFailure) {
                try encoder.finish()
                Issue.record("finished on a full device")
            } catch {
                #expect(error.systemError == ENOSPC)
            }
        }
    }

    @Test func `a file that cannot be begun is an error with the system's number`() throws {
        try withFileThatFillsUp { file, fill in
            try fill()
            do throws(CodecFailure) {
                _ = try SoundFile(creatingWAVOn: file, encoding: .pcm16, format: format, texts: [])
                Issue.record("began a WAV on a full device")
            } catch {
                #expect(error.systemError == ENOSPC)
            }
            // libsndfile 1.2.0 closes a descriptor that it could not use, even if it does not own it.
            #expect(fcntl(file.descriptor, F_GETFD) >= 0, "the descriptor was closed by somebody else")
            do throws(CodecFailure) {
                _ = try FLACEncoder(
                    file: file, format: format, settings: .init(level: 5, blockSize: 576, verify: false),
                    comments: [],
                    padding: 0)
                Issue.record("began a FLAC on a full device")
            } catch {
                #expect(error.systemError == ENOSPC)
            }
        }
    }

    @Test func `an encoder that died stays dead`() throws {
        try withFileThatFillsUp { file, fill in
            var encoder = try FLACEncoder(
                file: file, format: format, settings: .init(level: 5, blockSize: 16, verify: true),
                comments: [], padding: 0)
            try fill()
            for _ in 0..<2 {
                let failure = #expect(throws: CodecFailure.self) {
                    try encoder.write([Int16](repeating: 7, count: 100).span)
                }
                #expect(failure?.systemError == ENOSPC)
            }
        }
    }

    @Test func `a disk that is full at the end fails each sink's finish, with the system's own words`() async throws {
        func check<Sink: AudioSink & ~Copyable>(_: Sink.Type) async throws {
            let workspace = try Workspace()
            var sink = try await Sink(options: .init(), context: workspace.context(format))
            try await sink.write(PCMChunk(samples: [1, 2, 3], format: format, start: .start))
            try fillUp(workspace.file("call.\(Sink.type)"))
            do {
                _ = try await sink.finish(.hangup)
                Issue.record("\(Sink.type) finished on a full device")
            } catch {
                #expect(error.code == .finish)
                #expect(error.underlying != nil)
                #expect(error.description.contains(workspace.path))
            }
        }
        try await check(WAVSink.self)
        try await check(FLACSink.self)
        try await check(RawSink.self)
    }
}
