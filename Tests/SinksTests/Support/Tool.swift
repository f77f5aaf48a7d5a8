import Foundation
import Testing

/// Independent programs that examine Callreel's files.
enum Tool {
    /// The results of a program's run.
    struct Outcome {
        let status: Int32
        let output: Data
        let errors: String

        /// The output as text, without the line end.
        var text: String { String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines) }
    }

    /// Runs a program found in the path, and waits for its end.
    static func run(_ name: String, _ arguments: String...) throws -> Outcome { try run(name, arguments) }

    /// The same with a list.
    static func run(_ name: String, _ arguments: [String]) throws -> Outcome {
        let directory = try Workspace()
        let output = directory.path + "/output", errors = directory.path + "/errors"
        // Files and not pipes, so that neither stream can fill up while the other is read.
        for path in [output, errors] { #expect(FileManager.default.createFile(atPath: path, contents: nil)) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [name] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        try process.run()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: try Data(contentsOf: URL(fileURLWithPath: output)),
            errors: try String(contentsOfFile: errors, encoding: .utf8))
    }

    /// Reads a WAV file's samples with Python's own reader. It believes only the header.
    static func pythonWave(_ path: String) throws -> [Int16] {
        let script =
            "import sys, wave; w = wave.open(sys.argv[1]); sys.stdout.buffer.write(w.readframes(w.getnframes()))"
        let outcome = try run("python3", "-c", script, path)
        #expect(outcome.status == 0, "\(outcome.errors)")
        return samples(outcome.output)
    }

    /// Reads a file's samples with sox.
    static func sox(_ path: String) throws -> [Int16] {
        // Without dither, which sox adds when it shortens samples.
        let outcome = try run("sox", "-D", path, "-t", "raw", "-e", "signed", "-b", "16", "-L", "-")
        #expect(outcome.status == 0, "\(outcome.errors)")
        return samples(outcome.output)
    }

    /// Reads a file's samples with FFmpeg, at the file's rate or another: Opus always comes at 48000 Hz.
    static func ffmpeg(_ path: String, rate: Int? = nil) throws -> [Int16] {
        let conversion = rate.map { ["-ar", "\($0)"] } ?? []
        let outcome = try run("ffmpeg", ["-v", "error", "-i", path, "-f", "s16le"] + conversion + ["-"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        return samples(outcome.output)
    }

    /// Checks a FLAC file with the reference decoder, and returns the samples.
    static func flac(_ path: String) throws -> [Int16] {
        let test = try run("flac", "--test", "--silent", path)
        #expect(test.status == 0, "\(test.errors)")
        let outcome = try run(
            "flac", "--decode", "--silent", "--stdout", "--force-raw-format", "--endian=little", "--sign=signed", path)
        #expect(outcome.status == 0, "\(outcome.errors)")
        return samples(outcome.output)
    }

    /// Returns the answer of `soxi` to a single-letter option.
    static func soxi(_ question: String, _ path: String) throws -> String { try run("soxi", question, path).text }

    /// Returns the answer of `metaflac` to an option, in UTF-8 under any locale.
    static func metaflac(_ question: String, _ path: String) throws -> String {
        try run("metaflac", "--no-utf8-convert", question, path).text
    }

    /// Decodes little-endian samples.
    static func samples(_ data: Data) -> [Int16] {
        #expect(data.count.isMultiple(of: 2))
        return stride(from: 0, to: data.count - 1, by: 2).map {
            Int16(bitPattern: UInt16(data[data.startIndex + $0]) | UInt16(data[data.startIndex + $0 + 1]) << 8)
        }
    }

    /// Decodes the little-endian samples of a file without a header.
    static func samples(ofRawFile path: String) throws -> [Int16] {
        samples(try Data(contentsOf: URL(fileURLWithPath: path)))
    }
}

/// Returns a number as four bytes, the lowest first.
func littleEndian(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
