package import Foundation

/// A delivery of one recording, as its ledger and its manifest tell of it.
package struct DeliveryEntry: Hashable, Sendable, Codable {
    /// The outcome so far.
    package enum State: String, Sendable, Codable {
        /// The delivery is still to be made.
        case pending
        /// The delivery was made, and is not made again.
        case delivered
    }

    /// A file that the delivery put beside the recording.
    package struct File: Hashable, Sendable, Codable {
        /// The path under the recordings directory.
        package var name: String
        package var bytes: Int
        /// SHA-256 of the file's bytes, in hexadecimal.
        package var sha256: String

        /// Makes a file's entry.
        package init(name: String, bytes: Int, sha256: String) {
            self.name = name
            self.bytes = bytes
            self.sha256 = sha256
        }
    }

    package var type: String
    /// The name of the entry in the configuration.
    package var name: String
    package var state: State
    /// The time at which the delivery was made.
    package var at: Date?
    /// Number of attempts until it was made.
    package var attempts: Int?
    /// Details from the delivery itself.
    package var details: [String: JSONValue]?
    package var files: [File]?

    /// Makes the entry of a delivery still to be made.
    package init(type: String, name: String) {
        self.type = type
        self.name = name
        state = .pending
    }
}
