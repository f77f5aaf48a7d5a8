import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The system's limit on the files that this process may have open at once.
package enum DescriptorLimit {
    /// The limit before ``raise()`` changed it; nil where it was not changed.
    private static let before = Mutex<rlim_t?>(nil)

    /// The limit that programs of this process are to get, in the words of the shell's `ulimit`; nil where they inherit it as it was.
    package static var forPrograms: String? { before.withLock { $0.map { $0 == rlim_t.max ? "unlimited" : "\($0)" } } }

    /// Files that may be open at once; the soft limit.
    package static var current: Int { read().map { Int(clamping: $0.rlim_cur) } ?? .max }

    /// Raises the limit as far as the system lets us: a call has a handful of files, and the usual 1024 are soon gone.
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
