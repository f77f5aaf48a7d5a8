import CallreelCore
import Foundation

/// Finds out if each channel of decoded audio is the one of the call, also after a format that loses something.
///
/// Each channel of a ``TestCall`` has a tone of its own. The strength of a tone is measured by Goertzel's algorithm.
struct ChannelCheck {
    /// The fewest frames in which the tones can be told apart.
    private static let frames = 1600
    /// The least part of its own tone's power that a channel keeps in any useful format.
    private static let kept = 0.05
    /// The least ratio of powers between a channel's own tone and any other.
    private static let ratio = 4.0

    private let format: AudioFormat

    init(_ format: AudioFormat) { self.format = format }

    /// Returns the first channel that is not the call's, in words. Nil if all are, or if the audio is too short to say.
    func mistake(in samples: [Int16], like wanted: [Int16]) -> String? {
        guard format.channels > 1, min(samples.count, wanted.count) / format.channels >= Self.frames else { return nil }
        for channel in 0..<format.channels {
            let own = power(of: channel, in: samples, channel)
            for other in 0..<format.channels where other != channel {
                let strange = power(of: other, in: samples, channel)
                if own * Self.ratio < strange { return "channel \(channel) holds the audio of channel \(other)" }
                if own < Self.ratio * strange { return "channel \(channel) is mixed with channel \(other)" }
            }
            if own < Self.kept * power(of: channel, in: wanted, channel) {
                return "channel \(channel) lacks the audio of the call"
            }
        }
        return nil
    }

    /// Returns the power of one channel's tone in a channel of the samples.
    private func power(of tone: Int, in samples: [Int16], _ channel: Int) -> Double {
        let frequency = TestCall.tone(of: tone), coefficient = 2 * cos(2 * .pi * frequency / Double(format.sampleRate))
        var last = 0.0, beforeLast = 0.0, count = 0.0
        for index in stride(from: channel, to: samples.count, by: format.channels) {
            (last, beforeLast) = (Double(samples[index]) + coefficient * last - beforeLast, last)
            count += 1
        }
        return (last * last + beforeLast * beforeLast - coefficient * last * beforeLast) / (count * count)
    }
}
