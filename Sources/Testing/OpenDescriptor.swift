import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A descriptor that this process has open, and what it leads to: a number alone is soon somebody else's.
struct OpenDescriptor: Hashable, Sendable {
    let number: Int32
    private let device: UInt64
    private let inode: UInt64

    private init?(_ number: Int32) {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { return nil }
        self.number = number
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
    }

    /// All that are open, in the whole process.
    static func all() -> Set<OpenDescriptor> {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd")) ?? []
        // The one through which the list was read is in it, and is closed by now.
        return Set(names.compactMap { Int32($0) }.compactMap { OpenDescriptor($0) })
    }

    /// Those that lead to something below a directory, which must be given without symbolic links. A file that was removed is
    /// still below its directory.
    static func below(_ directory: String) -> [OpenDescriptor] {
        all().filter { $0.path?.hasPrefix(directory + "/") == true }
    }

    /// The path of what is open, where it has one.
    var path: String? {
        #if canImport(Darwin)
            var buffer = [CChar](repeating: 0, count: Int(MAXPATHLEN))
            guard unsafe fcntl(number, F_GETPATH, &buffer) == 0 else { return nil }
            return unsafe String(cString: buffer)
        #else
            return try? FileManager.default.destinationOfSymbolicLink(atPath: "/dev/fd/\(number)")
        #endif
    }
}
