import Foundation

/// A disk that is full after a few seconds of audio.
enum SmallDisk: Sendable {
    /// Small in-memory file systems in the server's own mount namespace, with the command to make it.
    case mounts([String])
    /// A limit on the size of each of the server's files (RLIMIT_FSIZE).
    case limit

    /// Its size in bytes.
    static let size = 200 * 1024

    /// Finds the best way on this system: mounts, as root or in a user namespace, or else the limit.
    static func available(in directory: String) async throws -> SmallDisk {
        guard let unshare = Jury.find("unshare"), Jury.find("mount") != nil else { return .limit }
        let place = directory + "/trial"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        for options in [["-m"], ["-r", "-m"]] {
            let disk = SmallDisk.mounts([unshare] + options)
            let trial = disk.wrapper(for: [place]) + ["/bin/sh", "-c", "exit 0"]
            if try await ChildProcess(trial[0], Array(trial.dropFirst()), in: directory, log: place).result().status
                == 0
            {
                return disk
            }
        }
        return .limit
    }

    /// A sentence for the report.
    var description: String {
        switch self {
        case .mounts: "file systems of \(Self.size / 1024) KiB in memory (tmpfs), mounted in a private name space"
        case .limit:
            "a limit of \(Self.size / 1024) KiB on each file of the server (RLIMIT_FSIZE); mounting is not possible"
        }
    }

    /// Returns a prefix for a server's command that mounts small file systems at these places.
    func wrapper(for places: [String]) -> [String] {
        guard case .mounts(let command) = self else { return [] }
        let mounts = places.map { "mount -t tmpfs -o size=\(Self.size) callreel-selftest '\($0)'" }
        return command + ["/bin/sh", "-c", (mounts + ["exec \"$@\""]).joined(separator: " && "), "sh"]
    }

    /// Copies a running server's files from a small file system to the same path outside its namespace.
    func bringOut(_ place: String, of server: ServerProcess) throws {
        guard case .mounts = self else { return }
        try server.bringOut(place)
    }
}

extension ServerProcess {
    /// Copies a running server's files at a path in its own namespace to the same path outside.
    func bringOut(_ place: String) throws {
        let inside = "/proc/\(process.identifier)/root" + place
        for case let path as String in FileManager.default.enumerator(atPath: inside) ?? .init() {
            let target = place + "/" + path
            var isDirectory: ObjCBool = false
            guard unsafe FileManager.default.fileExists(atPath: inside + "/" + path, isDirectory: &isDirectory) else {
                continue
            }
            if isDirectory.boolValue {
                try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
            } else {
                try FileManager.default.copyItem(atPath: inside + "/" + path, toPath: target)
            }
        }
    }
}
