import Foundation
import SystemPackage

/// The disks of this machine, by one system call for each operation.
package struct SystemDisk: Disk {
    /// Makes an access to the disks.
    package init() {}

    package func open(_ path: String, _ opening: FileOpening) throws(ErrorNumber) -> any DiskFile {
        var access = FileDescriptor.AccessMode.readWrite, options: FileDescriptor.OpenOptions = [.closeOnExec], mode = 0
        switch opening.purpose {
        case .read: access = .readOnly
        case .write: access = .writeOnly
        case .change: break
        case .directory: (access, options) = (.readOnly, [.closeOnExec, .directory])
        case .create(let bits): (options, mode) = ([.closeOnExec, .create, .exclusiveCreate], bits)
        case .createIfMissing(let bits): (options, mode) = ([.closeOnExec, .create], bits)
        }
        if !opening.followsLinks { options.insert(.noFollow) }
        if !opening.waits { options.insert(.nonBlocking) }
        return SystemFile(
            try ErrorNumber.from {
                try FileDescriptor.open(
                    FilePath(path), access, options: options,
                    permissions: options.contains(.create) ? FilePermissions(rawValue: mode_t(mode)) : nil)
            })
    }

    package func status(_ path: String, followsLinks: Bool) throws(ErrorNumber) -> FileStatus {
        FileStatus(try ErrorNumber.from { try Stat(FilePath(path), followTargetSymlink: followsLinks) })
    }

    package func list(_ path: String) throws(ErrorNumber) -> [FileSystem.Entry] {
        guard let stream = unsafe opendir(path) else { throw ErrorNumber(errno) }
        defer { unsafe closedir(stream) }
        var entries: [FileSystem.Entry] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            let kind: FileStatus.Kind? =
                switch Int(unsafe entry.pointee.d_type) {
                case Int(DT_DIR): .directory
                case Int(DT_REG): .file
                case Int(DT_LNK): .link
                default: nil
                }
            entries.append(FileSystem.Entry(name: name, kind: kind))
        }
        guard errno == 0 else { throw ErrorNumber(errno) }
        return entries
    }

    package func makeDirectory(_ path: String, mode: Int) throws(ErrorNumber) {
        try ErrorNumber.check(unsafe mkdir(path, mode_t(mode)))
    }

    package func setMode(_ path: String, _ mode: Int) throws(ErrorNumber) {
        try ErrorNumber.check(unsafe chmod(path, mode_t(mode)))
    }

    package func link(_ path: String, as name: String) throws(ErrorNumber) {
        try ErrorNumber.check(unsafe systemLink(path, name))
    }

    package func rename(_ path: String, to name: String) throws(ErrorNumber) {
        try ErrorNumber.check(unsafe systemRename(path, name))
    }

    package func renameExclusively(_ path: String, to name: String) throws(ErrorNumber) {
        guard ExclusiveRename.rename(path, name) else { throw ErrorNumber(errno) }
    }

    package func removeName(_ path: String) throws(ErrorNumber) { try ErrorNumber.check(unsafe unlink(path)) }

    package func removeDirectory(_ path: String) throws(ErrorNumber) { try ErrorNumber.check(unsafe rmdir(path)) }

    package func room(_ path: String) throws(ErrorNumber) -> FileSystem.Room {
        var status = statvfs()
        try ErrorNumber.check(unsafe statvfs(path, &status))
        return FileSystem.room(
            blocks: UInt64(status.f_bavail), blockSize: UInt64(status.f_frsize), files: UInt64(status.f_favail),
            totalFiles: UInt64(status.f_files))
    }

    package func checkMayCreate(in path: String) throws(ErrorNumber) {
        try ErrorNumber.check(unsafe access(path, W_OK | X_OK))
    }

    package func resolved(_ path: String) -> String? {
        guard let found = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(found) }
        return unsafe String(cString: found)
    }

    package func writers(of path: String, countsReaders: Bool) -> FileWriters {
        FileWriters.ofSystemFile(path, countsReaders: countsReaders)
    }

    package func fileSystemType(of path: String) -> String? {
        guard let text = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8),
            let place = resolved(path)
        else { return nil }
        return MountTable(text).type(of: place)
    }

    package var boot: String? { Self.boot }

    private static let boot: String? = (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))
        .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }

    package var bootTime: Double? {
        #if canImport(Darwin)
            return nil
        #else
            var now = timespec(), up = timespec()
            guard unsafe clock_gettime(CLOCK_REALTIME, &now) == 0, unsafe clock_gettime(CLOCK_BOOTTIME, &up) == 0 else {
                return nil
            }
            return Double(now.tv_sec - up.tv_sec) + Double(now.tv_nsec - up.tv_nsec) / 1e9
        #endif
    }
}

/// `link(2)`, under a name not hidden by a method called `link`.
private func systemLink(_ path: UnsafePointer<CChar>, _ name: UnsafePointer<CChar>) -> Int32 { unsafe link(path, name) }

/// `rename(2)`, under a name not hidden by a method called `rename`.
private func systemRename(_ path: UnsafePointer<CChar>, _ name: UnsafePointer<CChar>) -> Int32 {
    unsafe rename(path, name)
}
