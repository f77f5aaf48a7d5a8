import Foundation

/// How loud a run of samples is, in dBFS: 0 is as loud as 16 bits can be, and silence is minus infinity.
struct Level {
    private(set) var samples = 0
    private var loudest = 0
    private var squares = 0

    /// The loudest sample.
    var peak: Double { decibels(Double(loudest)) }

    /// The root of the samples' mean square.
    var rms: Double { decibels((Double(squares) / Double(samples)).squareRoot()) }

    /// Adds a sample.
    mutating func add(_ sample: Int16) {
        samples += 1
        loudest = max(loudest, abs(Int(sample)))
        squares += Int(sample) * Int(sample)
    }

    /// Adds the samples of another run.
    mutating func add(_ other: Level) {
        samples += other.samples
        loudest = max(loudest, other.loudest)
        squares += other.squares
    }

    /// An amplitude's level, to a hundredth.
    private func decibels(_ amplitude: Double) -> Double { (20 * log10(amplitude / 32768) * 100).rounded() / 100 }
}
