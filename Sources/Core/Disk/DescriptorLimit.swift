import Foundation
import Synchronization

/// The system's limit on the files that this process may have open at once.
package enum DescriptorLimit {
    /// The soft limit before ``raise()`` changed it. Nil if unchanged.
    private static let before = Mutex<rlim_t?>(nil)

    /// The original soft limit, to be restored in child programs, as an argument of the shell's `ulimit`.
    /// Nil if ``raise()`` has not changed it.
    package static var forPrograms: String? { before.withLock { $0.map { $0 == rlim_t.max ? "unlimited" : "\($0)" } } }

    /// The soft limit: the number of files this process may have open at once.
    /// `Int.max` if the system does not report it.
    package static var current: Int { read().map { Int(clamping: $0.rlim_cur) } ?? .max }

    /// Raises the soft limit to the hard limit. A call needs a handful of files, and the usual 1024 are soon used up.
    package static func raise() {
        before.withLock { before in
            guard var limit = read(), limit.rlim_cur != limit.rlim_max else { return }
            let soft = limit.rlim_cur
            limit.rlim_cur = limit.rlim_max
            if unsafe setrlimit(resource, &limit) == 0, before == nil { before = soft }
        }
    }

    private static func read() -> rlimit? {
        var limit = rlimit()
        return unsafe getrlimit(resource, &limit) == 0 ? limit : nil
    }

    #if canImport(Darwin)
        private static let resource = RLIMIT_NOFILE
    #else
        private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #endif
}
