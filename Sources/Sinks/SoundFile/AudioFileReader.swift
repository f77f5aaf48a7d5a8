package import CallreelCore

/// Why an audio file could not be read.
package struct AudioFileError: Error, Sendable, CustomStringConvertible {
    /// The file.
    package let path: String
    /// What is wrong with it, in the words of the library that tried to read it.
    package let reason: String

    /// Such as `call.txt: not a sound file that libsndfile reads`
    package var description: String { "\(path): \(reason)" }
}

/// Reads an audio file of any kind that libsndfile knows, as the 16-bit frames that a call is made of.
///
/// Memory stays bounded whatever the file's length. Where the file is 16-bit PCM in the wanted format already, its
/// samples come out as they are, bit for bit. Otherwise they go through floating point: channels are mixed to their
/// average, and spread to every wanted channel, when the counts differ; the rate is converted with libsamplerate;
/// what is beyond full scale is clipped, and what is not a number is silence.
package struct AudioFileReader: ~Copyable {
    /// The file.
    package let path: String
    /// The shape of what ``read(maximumFrames:)`` returns.
    package let format: AudioFormat
    /// The shape of the audio in the file.
    package let fileFormat: AudioFormat
    /// Frames that will come in ``format``, to within a frame where the rate is converted; nil when the file does not
    /// say, as with a FLAC file that was never finished.
    package let frameCount: Int?

    /// What is not as the file's header says, in words; nil where all is well, or where it says nothing.
    package let note: String?

    private var file: SoundFile
    private var converter: SampleRateConverter?
    /// Frames of the file read at a time.
    private static let blockFrames = 4096
    /// The file's frames as they come, reused.
    private var block: [Float] = []
    /// Converted samples that nobody has taken yet, from `taken` on.
    private var ready: [Float] = []
    private var taken = 0
    private var atEnd = false

    /// The rates and channels that a file may have whose format is kept: what every sink's format can state.
    private static let keptRates = 1000...655_350, keptChannels = 1...8

    /// Opens a file, to be read in its own format or in a wanted one.
    ///
    /// Where the header does not count all of the audio, since the recorder died, all of it is read.
    package init(path: String, convertingTo wanted: AudioFormat? = nil) throws(AudioFileError) {
        do throws(CodecFailure) {
            // What cannot be opened here, such as a pipe, is for the library to read or to refuse.
            let stored = try? StoredFile(path, followsLinks: true)
            let uncounted = stored.flatMap { try? UncountedAudio($0) }
            note = uncounted?.note
            var input: CodecInput?
            if let stored, let uncounted, !uncounted.patches.isEmpty { input = CodecInput(stored, patches: uncounted.patches) }
            let file = try SoundFile(reading: path, patched: input)
            guard wanted != nil || Self.keptRates ~= file.format.sampleRate && Self.keptChannels ~= file.format.channels else {
                let limits = "\(Self.keptRates.lowerBound) to \(Self.keptRates.upperBound) Hz in 1 to \(Self.keptChannels.upperBound) channels"
                throw CodecFailure("\(file.format) cannot be recorded, only \(limits)")
            }
            let format = wanted ?? file.format
            let source = file.format.sampleRate, target = format.sampleRate
            converter = source == target ? nil : try SampleRateConverter(from: source, to: target, channels: format.channels)
            // A header may claim anything; what does not fit into a number is not known.
            frameCount = file.frameCount.flatMap { Int(exactly: (Double($0) * Double(target) / Double(source)).rounded()) }
            fileFormat = file.format
            self.format = format
            self.path = path
            self.file = file
        } catch {
            throw AudioFileError(path: path, reason: error.reason)
        }
    }

    /// Returns the next frames, interleaved: as many as asked for, fewer at the end, and none after it.
    package mutating func read(maximumFrames: Int) throws(AudioFileError) -> [Int16] {
        precondition(maximumFrames > 0, "a reader is asked for at least one frame")
        do {
            return try file.isPCM16 && format == fileFormat ? readExactly(maximumFrames) : readConverted(maximumFrames)
        } catch {
            throw AudioFileError(path: path, reason: error.reason)
        }
    }

    /// Samples as they stand in the file.
    private mutating func readExactly(_ maximumFrames: Int) throws(CodecFailure) -> [Int16] {
        var samples = [Int16](repeating: 0, count: maximumFrames * format.channels)
        let frames = try file.read(into: &samples)
        samples.removeLast(samples.count - frames * format.channels)
        return samples
    }

    /// Samples that went through mixing and conversion.
    private mutating func readConverted(_ maximumFrames: Int) throws(CodecFailure) -> [Int16] {
        let wanted = maximumFrames * format.channels
        while !atEnd, ready.count - taken < wanted { try prepareBlock() }
        let end = min(taken + wanted, ready.count)
        let samples = ready[taken..<end].map { Self.sample($0) }
        taken = end
        return samples
    }

    /// Reads one block of the file and appends what it gives to `ready`.
    private mutating func prepareBlock() throws(CodecFailure) {
        ready.removeFirst(taken)
        taken = 0
        if block.isEmpty { block = [Float](repeating: 0, count: Self.blockFrames * fileFormat.channels) }
        let frames = try file.read(into: &block)
        atEnd = frames < Self.blockFrames
        let mixed = mix(frames)
        if converter == nil {
            ready.append(contentsOf: mixed)
        } else {
            try converter?.convert(mixed.span, isLast: atEnd, appendingTo: &ready)
        }
    }

    /// The block's frames with as many channels as are wanted.
    private func mix(_ frames: Int) -> [Float] {
        let source = fileFormat.channels, target = format.channels
        var mixed = [Float](repeating: 0, count: frames * target)
        for frame in 0..<frames {
            if source == target {
                for channel in 0..<target { mixed[frame * target + channel] = Self.finite(block[frame * source + channel]) }
            } else {
                var sum: Float = 0
                for channel in 0..<source { sum += Self.finite(block[frame * source + channel]) }
                for channel in 0..<target { mixed[frame * target + channel] = sum / Float(source) }
            }
        }
        return mixed
    }

    /// Silence for an infinity or no number at all, which would otherwise spread through the converter's filter.
    private static func finite(_ value: Float) -> Float { value.isFinite ? value : 0 }

    /// The nearest 16-bit sample.
    private static func sample(_ value: Float) -> Int16 {
        Int16(max(-32768, min(32767, (value * 32768).rounded())))
    }
}
