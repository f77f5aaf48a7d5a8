import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// What is mounted where, as `/proc/self/mountinfo` says it (proc(5)).
struct MountTable {
    /// File systems that one kernel at a time can have mounted. What other hosts may see at the same time is not among them.
    private static let typesOfOneKernel: Set<String> = [
        "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "f2fs", "zfs", "jfs", "vfat", "exfat", "ntfs3", "bcachefs",
    ]

    /// File systems that show what the kernel knows, and keep no files.
    private static let typesWithoutFiles: Set<String> = [
        "proc", "sysfs", "cgroup", "cgroup2", "devpts", "securityfs", "debugfs", "tracefs", "configfs", "pstore", "bpf", "efivarfs", "mqueue",
    ]

    private var mounts: [(point: String, type: String)] = []

    /// Reads the lines of a table.
    init(_ text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ", omittingEmptySubsequences: false)
            guard fields.count > 4, let separator = fields.firstIndex(of: "-"), separator + 1 < fields.count else { continue }
            mounts.append((Self.unescaped(fields[4]), String(fields[separator + 1])))
        }
    }

    /// Whether a path is on a disk of this kernel alone. False where that is not known. Blocks.
    static func isOfOneKernel(_ path: String) -> Bool { type(of: path).map(typesOfOneKernel.contains) ?? false }

    /// The type of a file system that keeps no files, if a path is on one. Blocks.
    static func typeWithoutFiles(_ path: String) -> String? { type(of: path).flatMap { typesWithoutFiles.contains($0) ? $0 : nil } }

    /// The type of the file system that a path is on; nil where that is not known.
    private static func type(of path: String) -> String? {
        guard let text = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8), let place = unsafe realpath(path, nil) else {
            return nil
        }
        defer { unsafe free(place) }
        return MountTable(text).type(of: unsafe String(cString: place))
    }

    /// Whether a path, which is absolute and without symbolic links, is on such a disk.
    func isOfOneKernel(_ path: String) -> Bool { type(of: path).map(Self.typesOfOneKernel.contains) ?? false }

    /// The type of the file system that a path is on. Of several at one place, the last one counts: it hides the others.
    private func type(of path: String) -> String? {
        let above = mounts.filter { Self.covers($0.point, path) }
        let length = above.map(\.point.utf8.count).max()
        return above.last { $0.point.utf8.count == length }?.type
    }

    private static func covers(_ point: String, _ path: String) -> Bool {
        point == "/" || path == point || path.hasPrefix(point + "/")
    }

    /// A name in which spaces, tabs, line ends and backslashes stand as three octal digits after a backslash.
    private static func unescaped(_ name: Substring) -> String {
        var bytes: [UInt8] = [], rest = name.utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8) {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
