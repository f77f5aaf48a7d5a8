package import CallreelCore

/// The error for an audio file that could not be read.
package struct AudioFileError: Error, Sendable, CustomStringConvertible {
    /// The file's path.
    package let path: String
    /// The reason, in the words of the library that tried to read the file.
    package let reason: String

    /// The path and the reason, such as `call.txt: not a sound file that libsndfile reads`.
    package var description: String { "\(path): \(reason)" }
}

/// Reads an audio file of any kind known to libsndfile, as the 16-bit frames of a call.
///
/// Memory use does not depend on the file's length. If the file is 16-bit PCM in the requested format,
/// its samples are returned bit for bit. Otherwise they go through floating point:
/// - If the channel counts differ, the channels are averaged, and each requested channel gets the average.
/// - libsamplerate converts the rate.
/// - Samples beyond full scale are clipped, and samples that are not numbers become silence.
package struct AudioFileReader: ~Copyable {
    /// The file's path.
    package let path: String
    /// The format of the frames from ``read(maximumFrames:)``.
    package let format: AudioFormat
    /// The format of the audio in the file.
    package let fileFormat: AudioFormat
    /// Frames to read in ``format``, to within a frame if the rate is converted.
    /// Nil if the file does not state its length, as in a FLAC file that was never finished.
    package let frameCount: Int?

    /// The difference between the header and the file, in words. Nil if they agree, or if the header states no length.
    package let note: String?

    private var file: SoundFile
    private var converter: ShapeConverter
    /// Frames read from the file at a time.
    private static let blockFrames = 4096
    /// Frames read from the file, before conversion. The memory is reused.
    private var block: [Float] = []
    /// Converted samples. Those before `taken` have been returned already.
    private var ready: [Float] = []
    private var taken = 0
    private var atEnd = false

    /// The rates and channels of files that are kept in their own format. Every sink's format can state them.
    private static let keptRates = 1000...655_350, keptChannels = 1...8

    /// Opens a file, to be read in its own format or in a requested one.
    ///
    /// If the recorder died, the header does not count all of the audio. All of it is read.
    package init(path: String, convertingTo wanted: AudioFormat? = nil) throws(AudioFileError) {
        do throws(CodecFailure) {
            // A path that cannot be opened here, such as a pipe, is left to the library to read or refuse.
            let stored = try? StoredFile(path, followsLinks: true)
            let uncounted = stored.flatMap { try? UncountedAudio($0) }
            note = uncounted?.note
            var input: CodecInput?
            if let stored, let uncounted, !uncounted.patches.isEmpty {
                input = CodecInput(stored, patches: uncounted.patches)
            } else if let stored, !stored.hasDescriptor {
                input = CodecInput(stored, patches: [])
            }
            let file = try SoundFile(reading: path, patched: input)
            guard wanted != nil || Self.keptRates ~= file.format.sampleRate && Self.keptChannels ~= file.format.channels
            else {
                let limits =
                    "\(Self.keptRates.lowerBound) to \(Self.keptRates.upperBound) Hz "
                    + "in 1 to \(Self.keptChannels.upperBound) channels"
                throw CodecFailure("\(file.format) cannot be recorded; the limits are \(limits)")
            }
            let format = wanted ?? file.format
            do throws(RateConverterError) {
                converter = try ShapeConverter(from: file.format, to: format, maker: SampleRateConverter.make)
            } catch {
                throw CodecFailure(error.reason, blame: .options)
            }
            // A header may claim any length. A length that does not fit into an `Int` counts as unknown.
            frameCount = file.frameCount.flatMap {
                Int(exactly: (Double($0) * Double(format.sampleRate) / Double(file.format.sampleRate)).rounded())
            }
            fileFormat = file.format
            self.format = format
            self.path = path
            self.file = file
        } catch {
            throw AudioFileError(path: path, reason: error.reason)
        }
    }

    /// Returns the next frames, interleaved. Returns fewer than requested at the end, and none after it.
    package mutating func read(maximumFrames: Int) throws(AudioFileError) -> [Int16] {
        precondition(maximumFrames > 0, "a reader is asked for at least one frame")
        do {
            return try file.isPCM16 && format == fileFormat ? readExactly(maximumFrames) : readConverted(maximumFrames)
        } catch {
            throw AudioFileError(path: path, reason: error.reason)
        }
    }

    /// Returns samples as they stand in the file.
    private mutating func readExactly(_ maximumFrames: Int) throws(CodecFailure) -> [Int16] {
        var samples = [Int16](repeating: 0, count: maximumFrames * format.channels)
        let frames = try file.read(into: &samples)
        samples.removeLast(samples.count - frames * format.channels)
        return samples
    }

    /// Returns samples after mixing and rate conversion.
    private mutating func readConverted(_ maximumFrames: Int) throws(CodecFailure) -> [Int16] {
        let wanted = maximumFrames * format.channels
        while !atEnd, ready.count - taken < wanted { try prepareBlock() }
        let end = min(taken + wanted, ready.count)
        let samples = ready[taken..<end].map(Int16.init(sample:))
        taken = end
        return samples
    }

    /// Reads one block of the file and appends its converted samples to `ready`.
    private mutating func prepareBlock() throws(CodecFailure) {
        ready.removeFirst(taken)
        taken = 0
        if block.isEmpty { block = [Float](repeating: 0, count: Self.blockFrames * fileFormat.channels) }
        let frames = try file.read(into: &block)
        atEnd = frames < Self.blockFrames
        // Infinities and NaN become silence, because they would spread through a filter.
        let samples = block.prefix(frames * fileFormat.channels).map { $0.isFinite ? $0 : 0 }
        do throws(RateConverterError) {
            ready.append(contentsOf: try converter.convert(samples, isLast: atEnd))
        } catch {
            throw CodecFailure(error.reason)
        }
    }
}
