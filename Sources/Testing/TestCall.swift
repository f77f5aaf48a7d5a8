import CallreelCore
import Foundation

/// The audio of one call: repeatable, never the same for two seeds or two channels, and never silent for long.
struct TestCall: Sendable {
    let format: AudioFormat
    let samples: [Int16]

    /// - Parameter level: how loud it is; both extremes are in a call at full level only.
    init(frames: Int, format: AudioFormat, seed: UInt64 = 1, level: Double = 1) {
        self.format = format
        // The generator of numbers is Steele's SplitMix64; a tone under the noise gives an encoder something to predict.
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        var samples: [Int16] = []
        samples.reserveCapacity(frames * format.channels)
        for frame in 0..<frames {
            for channel in 0..<format.channels {
                state &+= 0x9E37_79B9_7F4A_7C15
                var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
                mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
                let noise = Int(mixed >> 54) - 512
                let tone = sin(Double(frame) * 2 * .pi * 300 * Double(channel + 1) / Double(format.sampleRate)) * 9000 * level
                // Both extremes now and then: they are where arithmetic overflows.
                samples.append(level == 1 && frame % 1009 == 5 ? (channel == 0 ? .min : .max) : Int16(clamping: Int(tone) + noise))
            }
        }
        self.samples = samples
    }

    /// How many there are.
    var frames: Int { samples.count / format.channels }

    /// Chunks as a carrier brings them: 20 ms each.
    var even: [Int] { [format.sampleRate / 50] }

    /// The call in chunks of these lengths, over and over.
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

    /// The first frames of the call.
    func prefix(_ count: Int) -> ArraySlice<Int16> { samples.prefix(count * format.channels) }
}
