/// Mount points and their file system types, from the text of `/proc/self/mountinfo` (proc(5)).
package struct MountTable {
    /// File systems that only one kernel at a time can have mounted.
    /// Shared types, such as network file systems, are absent.
    private static let typesOfOneKernel: Set<String> = [
        "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "f2fs", "zfs", "jfs", "vfat", "exfat", "ntfs3", "bcachefs",
    ]

    /// File systems that show kernel state and keep no files.
    private static let typesWithoutFiles: Set<String> = [
        "proc", "sysfs", "cgroup", "cgroup2", "devpts", "securityfs", "debugfs", "tracefs", "configfs", "pstore", "bpf",
        "efivarfs", "mqueue",
    ]

    private var mounts: [(point: String, type: String)] = []

    /// Reads the lines of a table. Skips malformed lines.
    init(_ text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ", omittingEmptySubsequences: false)
            guard fields.count > 4, let separator = fields.firstIndex(of: "-"), separator + 1 < fields.count else {
                continue
            }
            mounts.append((Self.unescaped(fields[4]), String(fields[separator + 1])))
        }
    }

    /// True when a path is on a disk that only this kernel can have mounted. False if the type is unknown. Blocks.
    package static func isOfOneKernel(_ path: String) -> Bool {
        FileSystem.disk.fileSystemType(of: path).map(typesOfOneKernel.contains) ?? false
    }

    /// Returns the type of a path's file system if that file system keeps no files, otherwise nil. Blocks.
    package static func typeWithoutFiles(_ path: String) -> String? {
        FileSystem.disk.fileSystemType(of: path).flatMap { typesWithoutFiles.contains($0) ? $0 : nil }
    }

    /// True when a path, absolute and without symbolic links, is on a disk that only one kernel can have mounted.
    func isOfOneKernel(_ path: String) -> Bool { type(of: path).map(Self.typesOfOneKernel.contains) ?? false }

    /// Returns the type of a path's file system. If several are mounted at one place, the last one hides the others.
    func type(of path: String) -> String? {
        let above = mounts.filter { Self.covers($0.point, path) }
        let length = above.map(\.point.utf8.count).max()
        return above.last { $0.point.utf8.count == length }?.type
    }

    private static func covers(_ point: String, _ path: String) -> Bool {
        point == "/" || path == point || path.hasPrefix(point + "/")
    }

    /// Decodes a mount point. The table writes spaces, tabs, line ends and backslashes as a backslash
    /// and three octal digits.
    private static func unescaped(_ name: Substring) -> String {
        var bytes: [UInt8] = [], rest = name.utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
