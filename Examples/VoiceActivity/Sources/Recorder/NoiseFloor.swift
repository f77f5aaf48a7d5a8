/// The level of the noise behind the speech in one channel, in dBFS: the lowest level of the last four seconds.
///
/// Speech has gaps, so the lowest level is that of a gap. A floor of this kind needs no decision about what is speech,
/// and follows a change of the noise within four seconds (R. Martin, "Noise power spectral density estimation based on
/// optimal smoothing and minimum statistics", IEEE Transactions on Speech and Audio Processing, 2001).
struct NoiseFloor: Sendable {
    /// Windows of 20 ms in a block: half a second.
    private static let blockLength = 25

    /// The lowest levels of the last eight blocks. At first they hold -40 dBFS, which is about the noise of a bad line,
    /// so that a call may begin with speech.
    private var blocks = [Double](repeating: -40, count: 8)
    private var windows = 0

    /// The noise floor after the levels added so far.
    private(set) var level = -40.0

    /// Adds the level of the next window.
    mutating func add(_ window: Double) {
        let block = windows / Self.blockLength % blocks.count
        if windows.isMultiple(of: Self.blockLength) { blocks[block] = .infinity }
        blocks[block] = min(blocks[block], window)
        windows += 1
        level = blocks.reduce(.infinity, min)
    }
}
