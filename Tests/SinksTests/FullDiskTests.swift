import CallreelCore
import Foundation
import Testing

@testable import CallreelSinks

/// Each sink on a full disk.
///
/// A limit on the size of files stands for the disk. The system refuses the rest of a write in the same way, with
/// another error number, and needs no privileges. The limit holds for a whole process, so each test has its own.
@Suite struct FullDiskTests {
    @Test func `a full disk fails a WAV at every byte, and what fitted opens`() async {
        await #expect(processExitsWith: .success) {
            try await expectFailureAtEveryLimit(WAVSink.self, .init()) { try Tool.sox($0) }
        }
    }

    @Test func `a full disk fails a FLAC at every byte, and what fitted opens`() async {
        await #expect(processExitsWith: .success) {
            var options = FLACOptions()
            options.padding = 0
            try await expectFailureAtEveryLimit(FLACSink.self, options) { try Tool.flac($0) }
        }
    }

    @Test func `a full disk fails a raw file at every byte, and what fitted opens`() async {
        await #expect(processExitsWith: .success) {
            try await expectFailureAtEveryLimit(RawSink.self, .init()) { try Tool.samples(ofRawFile: $0) }
        }
    }

    @Test func `a full disk fails a CAF at every byte, and what fitted opens after a repair`() async {
        await #expect(processExitsWith: .success) { try await expectFailureAtEveryLimit(.caf) }
    }

    @Test func `a full disk fails an AIFF at every byte, and what fitted opens after a repair`() async {
        await #expect(processExitsWith: .success) { try await expectFailureAtEveryLimit(.aiff) }
    }

    @Test func `a full disk fails a Wave64 at every byte, and what fitted opens after a repair`() async {
        await #expect(processExitsWith: .success) { try await expectFailureAtEveryLimit(.w64) }
    }

    @Test func `a full disk fails an RF64 at every byte, and what fitted opens after a repair`() async {
        await #expect(processExitsWith: .success) { try await expectFailureAtEveryLimit(.rf64) }
    }

    @Test func `a full disk fails an Opus, Vorbis or MP3 at every byte, and never with a receipt`() async {
        await #expect(processExitsWith: .success) {
            signal(SIGXFSZ, SIG_IGN)
            let audio = AudioFormat(sampleRate: 16000), samples = testSignal(frames: 32_000, audio)
            for format in SndfileSinkTests.streams {
                let full = try Workspace(), options = SndfileSinkTests.options(format)
                _ = try await record(SndfileSink.self, samples, full.context(audio), options: options)
                let size = try contents(full.file("call.\(format.fileExtension)")).count
                // A few bytes less may still be a whole file: Ogg files differ in length with their serial number.
                for limit in [0, 1, 7, 43] + Array(stride(from: 50, to: size - 600, by: 1331)) {
                    let workspace = try Workspace(), path = workspace.file("call.\(format.fileExtension)")
                    var failure: SinkError?
                    limitFileSize(limit)
                    do throws(SinkError) {
                        _ = try await record(SndfileSink.self, samples, workspace.context(audio), options: options)
                    } catch {
                        failure = error
                    }
                    limitFileSize(nil)
                    #expect(
                        failure?.description.contains(path) == true,
                        "\(format) \(limit) of \(size): \(String(describing: failure))")
                    let before = try contents(path)
                    let left = try? SndfileSink.repair(path, format: audio, dryRun: false)
                    #expect(try contents(path) == before && left?.frames ?? 0 < 32_000 + 2 * 1152)
                }
            }
        }
    }
}

/// The same for a container of samples, of the sink with many formats.
private func expectFailureAtEveryLimit(_ format: SndfileFormat) async throws {
    try await expectFailureAtEveryLimit(
        SndfileSink.self, SndfileSinkTests.options(format), ending: format.fileExtension
    ) { path in
        // If the header itself could not be written, there is no audio to repair or to open.
        guard
            let repaired = try? SndfileSink.repair(
                path, format: AudioFormat(sampleRate: 8000, channels: 2), dryRun: false)
        else { return [] }
        let heard = try Tool.sox(path)
        #expect(heard.count == repaired.frames * 2)
        return heard
    }
}

/// Records under ever larger limits, until the file fits.
///
/// Each smaller limit must give an error, no receipt, and a file with the beginning of the call.
private func expectFailureAtEveryLimit<Sink: AudioSink & ~Copyable>(
    _ type: Sink.Type, _ options: Sink.Options, ending: String = Sink.type, heard: (String) throws -> [Int16]
) async throws {
    // Otherwise the system ends the process instead of refusing the write.
    signal(SIGXFSZ, SIG_IGN)
    let format = AudioFormat(sampleRate: 8000, channels: 2)
    let samples = testSignal(frames: 4000, format)
    let full = try Workspace()
    _ = try await record(type, samples, full.context(format), options: options)
    let size = try Data(contentsOf: URL(fileURLWithPath: full.file("call.\(ending)"))).count

    for limit in [0, 1, 7, 43] + Array(stride(from: 50, to: size, by: 331)) + [size - 2, size - 1, size] {
        let workspace = try Workspace()
        var failure: SinkError?
        limitFileSize(limit)
        do {
            _ = try await record(type, samples, workspace.context(format), options: options)
        } catch {
            failure = error
        }
        limitFileSize(nil)
        if limit == size {
            #expect(failure == nil)
            continue
        }
        guard let failure else {
            Issue.record("\(type) reported success with \(limit) of \(size) bytes")
            continue
        }
        #expect(failure.underlying == EFBIG, "\(limit): \(failure)")
        #expect(failure.blame == .destination)
        #expect(failure.description.contains(workspace.file("call.\(ending)")))
        // A file without room for its header cannot be opened.
        if failure.code == .open { continue }
        let left = try heard(workspace.file("call.\(ending)"))
        expectSame(left, Array(samples.prefix(left.count)), "limit \(limit)")
        #expect(left.count.isMultiple(of: 2))
        // All audio that fitted, except for one block of FLAC's and one header.
        let fraction = Double(limit) / Double(size)
        #expect(left.count >= Int(fraction * Double(samples.count)) - 2 * 2 * 576, "\(limit): \(left.count) samples")
    }
}

/// Limits the length of files written by this process, or lifts the limit.
private func limitFileSize(_ bytes: Int?) {
    var limit = rlimit()
    #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
    #else
        let resource = RLIMIT_FSIZE
    #endif
    #expect(unsafe getrlimit(resource, &limit) == 0)
    limit.rlim_cur = bytes.map { rlim_t($0) } ?? limit.rlim_max
    #expect(unsafe setrlimit(resource, &limit) == 0)
}
