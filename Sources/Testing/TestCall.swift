import CallreelCore
import Foundation

/// The audio of one call. It is repeatable, differs for each seed and channel, and is never silent for long.
struct TestCall: Sendable {
    let format: AudioFormat
    let samples: [Int16]

    /// Generates the audio.
    /// - Parameter level: loudness, 1 for full level. Only a call at full level contains both extreme sample values.
    init(frames: Int, format: AudioFormat, seed: UInt64 = 1, level: Double = 1) {
        self.format = format
        // The random numbers are Steele's SplitMix64. A tone under the noise gives an encoder a signal to predict.
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        var samples: [Int16] = []
        samples.reserveCapacity(frames * format.channels)
        for frame in 0..<frames {
            for channel in 0..<format.channels {
                state &+= 0x9E37_79B9_7F4A_7C15
                var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
                mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
                let noise = Int(mixed >> 54) - 512
                let tone =
                    sin(Double(frame) * 2 * .pi * Self.tone(of: channel) / Double(format.sampleRate)) * 9000 * level
                // Both extremes now and then, to find arithmetic overflows.
                samples.append(
                    level == 1 && frame % 1009 == 5 ? (channel == 0 ? .min : .max) : Int16(clamping: Int(tone) + noise))
            }
        }
        self.samples = samples
    }

    /// The frequency of a channel's tone.
    static func tone(of channel: Int) -> Double { 300 * Double(channel + 1) }

    /// Frames of the call.
    var frames: Int { samples.count / format.channels }

    /// Chunk lengths as from a carrier: 20 ms each.
    var even: [Int] { [format.sampleRate / 50] }

    /// Returns the call in chunks of these lengths, repeated in turn.
    func chunks(_ lengths: [Int], from start: FramePosition = .start) -> [PCMChunk] {
        var chunks: [PCMChunk] = []
        var done = 0
        while done < frames {
            let end = min(done + lengths[chunks.count % lengths.count], frames)
            let piece = Array(samples[done * format.channels..<end * format.channels])
            chunks.append(PCMChunk(samples: piece, format: format, start: start + done))
            done = end
        }
        return chunks
    }

    /// Returns the first frames of the call.
    func prefix(_ count: Int) -> ArraySlice<Int16> { samples.prefix(count * format.channels) }
}
