import CallreelCore

/// A file of an unpublished call: its name, and the directory under which it grows and will be published.
struct CallFile: Hashable, Sendable {
    /// Size in bytes up to which a file counts as a mere beginning: 64 KiB.
    static let beginningSize = 1 << 16

    /// The directory as an absolute path; nil for the recordings directory.
    var root: String?
    /// The name in the call's partial directory there.
    var name: String
    /// Frames in the file; nil if unknown.
    var frames: Int?
    /// The frame of the call at which the file begins; nil if unknown.
    var start: Int?

    /// The same file without its frames and start.
    var place: CallFile { CallFile(root: root, name: name) }
}
