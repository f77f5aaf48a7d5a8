/// The audio for a sink while the recording of its call is paused.
package enum PausePolicy: String, CaseIterable, Codable, Sendable {
    /// Silence of the same length.
    case silence
    /// Nothing: the part ends, and the next one begins when the recording goes on.
    case skip
    /// The audio, as if there were no pause.
    case record
}
