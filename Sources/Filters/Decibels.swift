import Foundation

extension Float {
    /// The factor of samples for a change of the level in decibels.
    init(decibels: Double) { self = Float(pow(10, decibels / 20)) }
}

extension Int16 {
    /// The nearest sample; full scale for values beyond it.
    init(clipping value: Float) { self = Int16(Swift.max(-32768, Swift.min(32767, value.rounded()))) }
}
