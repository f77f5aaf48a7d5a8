import CSamplerate
import CallreelCore

/// A libsamplerate converter from one rate to another. Only this type calls the library.
///
/// Input may come in pieces of any length; the result does not depend on the cuts.
/// The result begins with the source, without the filter's delay.
@safe final class SampleRateConverter: RateConverter {
    private let state: OpaquePointer
    private let channels: Int
    private let ratio: Double
    /// Output buffer for one round, reused.
    private var room: [Float]

    /// Creates a converter of medium quality: 121 dB signal-to-noise ratio, 90 % of the bandwidth.
    init(from source: Int, to target: Int, channels: Int) throws(CodecFailure) {
        ratio = Double(target) / Double(source)
        guard src_is_valid_ratio(ratio) != 0 else {
            throw CodecFailure("\(source) Hz cannot be converted to \(target) Hz", blame: .options)
        }
        var code: Int32 = 0
        guard let state = unsafe src_new(Int32(SRC_SINC_MEDIUM_QUALITY), Int32(channels), &code) else {
            throw Self.failure(code)
        }
        unsafe self.state = state
        self.channels = channels
        room = [Float](repeating: 0, count: 4096 * channels)
    }

    func convert(_ samples: Span<Float>, isLast: Bool) throws(RateConverterError) -> [Float] {
        var output: [Float] = [], done = 0
        do throws(CodecFailure) {
            while true {
                let (used, made) = try round(samples.extracting(droppingFirst: done * channels), isLast: isLast)
                output.append(contentsOf: room[..<(made * channels)])
                done += used
                // More may follow if the buffer was filled, or if frames are left and the last round used some.
                if made * channels < room.count, done * channels >= samples.count || used == 0 { return output }
            }
        } catch {
            throw RateConverterError("cannot change the rate: \(error.reason)")
        }
    }

    deinit { unsafe src_delete(state) }

    private func round(_ frames: Span<Float>, isLast: Bool) throws(CodecFailure) -> (used: Int, made: Int) {
        var data = unsafe SRC_DATA()
        unsafe data.src_ratio = ratio
        unsafe data.end_of_input = isLast ? 1 : 0
        let code = unsafe frames.withUnsafeBufferPointer { input in
            unsafe room.withUnsafeMutableBufferPointer { output in
                unsafe data.data_in = input.baseAddress
                unsafe data.input_frames = input.count / channels
                unsafe data.data_out = output.baseAddress
                unsafe data.output_frames = output.count / channels
                return unsafe src_process(state, &data)
            }
        }
        if code != 0 { throw Self.failure(code) }
        return unsafe (data.input_frames_used, data.output_frames_gen)
    }

    /// Makes a converter for a sink, or for a file that is read.
    static let make: RateConverterMaker = { source, target, channels throws(RateConverterError) in
        do throws(CodecFailure) {
            return try SampleRateConverter(from: source, to: target, channels: channels)
        } catch {
            let isOfRates = error.blame == .options
            throw RateConverterError(
                isOfRates ? error.reason : "cannot change \(source) Hz to \(target) Hz: \(error.reason)",
                isOfRates: isOfRates)
        }
    }

    private static func failure(_ code: Int32) -> CodecFailure {
        let text = unsafe src_strerror(code)
        return CodecFailure(unsafe text.map { unsafe String(cString: $0) } ?? "libsamplerate error \(code)")
    }
}
