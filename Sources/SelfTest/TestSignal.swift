import CallreelCore

/// The audio of one test call: the same in every run, different for each call, and never silent.
///
/// Each call has a tone of its own wavelength, under noise that differs at every frame. A comparison therefore finds a
/// frame that is missing, doubled, misplaced or in another call's file. A zero sample is inserted silence.
struct TestSignal: Hashable, Sendable {
    /// The format of every test call's audio.
    static let format = AudioFormat(sampleRate: 16000)

    /// The call's number.
    let call: Int

    /// Returns the sample of one frame.
    func sample(at frame: Int) -> Int16 {
        let period = 80 + call * 7 % 160
        let triangle = abs(frame % period * 2 - period) * (12000 / period) - 6000
        // A step of SplitMix64: noise of six bits.
        var hash = UInt64(truncatingIfNeeded: frame) &+ UInt64(truncatingIfNeeded: call) &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
        let value = triangle + Int(hash >> 58) - 32
        return value == 0 ? 1 : Int16(value)
    }

    /// Returns the samples of a range of frames.
    func samples(_ range: Range<Int>) -> [Int16] { range.map(sample) }

    /// Returns the first frame that differs from the call's audio, or nil.
    /// - Parameter start: the call's frame for the first sample.
    func firstDifference(in samples: some Collection<Int16>, from start: Int = 0) -> Int? {
        var frame = start
        for sample in samples {
            if sample != self.sample(at: frame) { return frame }
            frame += 1
        }
        return nil
    }
}
