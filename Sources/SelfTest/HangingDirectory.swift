import Foundation

/// A directory that never answers, played by a process of its own.
package enum HangingDirectory {
    /// The command that plays it.
    package static let command = "selftest-hang"
    /// The line printed once the directory hangs.
    package static let word = "hangs"

    /// The system has `/dev/fuse`, and this process may open it.
    package static var isPossible: Bool {
        #if os(Linux)
            unsafe access("/dev/fuse", R_OK | W_OK) == 0
        #else
            false
        #endif
    }
}
