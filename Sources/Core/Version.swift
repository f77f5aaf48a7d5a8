/// The version of Callreel, in one place.
package enum CallreelVersion {
    /// The current version, such as `0.9.0`, by the rules of semantic versioning.
    package static let current = "0.9.0"

    /// The program and its version, as files and manifests name it.
    package static let program = "Callreel \(current)"
}
