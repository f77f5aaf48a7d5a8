import CallreelCore
import CallreelServer
import CallreelSimulator
import Foundation

/// The audio of a test call without a file: a scale, so that a listener notices a gap, a repetition or a wrong rate.
enum TestTone {
    /// Frames a second. The call converts this rate like that of any file.
    static let sampleRate = 24000
    /// The steps of a major scale, in hertz. Each lasts half a second.
    private static let steps = [261.63, 293.66, 329.63, 349.23, 392.0, 440.0, 493.88, 523.25]
    /// A quarter of full scale.
    private static let level = 8192.0

    /// One channel of 16-bit samples.
    static var samples: [Int16] {
        let count = sampleRate / 2, fade = Double(sampleRate) / 50
        return steps.flatMap { step in
            (0..<count).map { frame in
                // Each step swells and fades within 20 ms, to avoid clicks.
                let gain = min(1, Double(frame) / fade, Double(count - frame) / fade)
                return Int16(level * gain * sin(2 * Double.pi * step * Double(frame) / Double(sampleRate)))
            }
        }
    }

    /// A WAV file of the samples (16-bit PCM, RIFF).
    static var file: Data {
        let samples = samples
        func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
            (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        }
        var file = Data("RIFF".utf8)
        file += bytes(UInt32(36 + samples.count * 2)) + Data("WAVEfmt ".utf8) + bytes(UInt32(16))
        file +=
            bytes(UInt16(1)) + bytes(UInt16(1)) + bytes(UInt32(sampleRate)) + bytes(UInt32(sampleRate * 2))
            + bytes(UInt16(2)) + bytes(UInt16(16))
        file +=
            Data("data".utf8) + bytes(UInt32(samples.count * 2))
            + Data(samples.flatMap { bytes(UInt16(bitPattern: $0)) })
        return file
    }

    /// Makes a nameless file of the tone. Returns a path that can be opened until the program ends.
    static func makeFile() throws -> String {
        var template = Array((NSTemporaryDirectory() + "/callreel-XXXXXX").utf8CString)
        let descriptor = unsafe template.withUnsafeMutableBufferPointer { unsafe mkstemp($0.baseAddress!) }
        let place = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard descriptor >= 0 else {
            throw CallerError("cannot write the test tone to \(place): \(systemMessage(errno))")
        }
        defer { unsafe unlink(place) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        do {
            try FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).write(contentsOf: file)
        } catch {
            throw CallerError("cannot write the test tone to \(place): \(error.localizedDescription)")
        }
        return "/dev/fd/\(descriptor)"
    }
}
