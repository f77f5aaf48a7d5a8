import CSamplerate
import CallreelCore

/// A libsamplerate converter from one rate to another. Only this type calls the library.
///
/// Input may come in pieces of any length; the result does not depend on the cuts.
/// The result begins with the source, without the filter's delay.
@safe struct SampleRateConverter: ~Copyable {
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

    /// Converts frames and appends the result. The converter holds some of it back until more frames
    /// arrive, or until `isLast` is true.
    mutating func convert(_ frames: Span<Float>, isLast: Bool, appendingTo output: inout [Float]) throws(CodecFailure) {
        var done = 0
        while true {
            let (used, made) = try round(frames.extracting(droppingFirst: done * channels), isLast: isLast)
            output.append(contentsOf: room[..<(made * channels)])
            done += used
            // More output may follow if the buffer was filled, or if frames are left and the last round used some.
            if made * channels < room.count, done * channels >= frames.count || used == 0 { return }
        }
    }

    deinit { unsafe src_delete(state) }

    private mutating func round(_ frames: Span<Float>, isLast: Bool) throws(CodecFailure) -> (used: Int, made: Int) {
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

    private static func failure(_ code: Int32) -> CodecFailure {
        let text = unsafe src_strerror(code)
        return CodecFailure(unsafe text.map { unsafe String(cString: $0) } ?? "libsamplerate error \(code)")
    }
}
