import Foundation

/// A way to let a server's disk be full after a few seconds of audio.
enum SmallDisk: Sendable {
    /// Small file systems in memory, in a mount name space of the server's own: the command that makes it, before the mounts.
    case mounts([String])
    /// A limit on the size of each of the server's files (RLIMIT_FSIZE).
    case limit

    /// Bytes that fit.
    static let size = 200 * 1024

    /// What can be done here: mounts, as root or in a user name space, where the system lets us; else the limit.
    static func available(in directory: String) async throws -> SmallDisk {
        guard let unshare = Jury.find("unshare"), Jury.find("mount") != nil else { return .limit }
        let place = directory + "/trial"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        for options in [["-m"], ["-r", "-m"]] {
            let disk = SmallDisk.mounts([unshare] + options)
            let trial = disk.wrapper(for: [place]) + ["/bin/sh", "-c", "exit 0"]
            if try await ChildProcess(trial[0], Array(trial.dropFirst()), in: directory, log: place).result().status == 0 { return disk }
        }
        return .limit
    }

    /// What is used, in words.
    var description: String {
        switch self {
        case .mounts: "file systems of \(Self.size / 1024) KiB in memory (tmpfs), mounted in a private name space"
        case .limit: "a limit of \(Self.size / 1024) KiB on each file of the server (RLIMIT_FSIZE), since nothing can be mounted here"
        }
    }

    /// The command in front of a server's, which gives it small file systems at these places.
    func wrapper(for places: [String]) -> [String] {
        guard case .mounts(let command) = self else { return [] }
        let mounts = places.map { "mount -t tmpfs -o size=\(Self.size) callreel-selftest '\($0)'" }
        return command + ["/bin/sh", "-c", (mounts + ["exec \"$@\""]).joined(separator: " && "), "sh"]
    }

    /// Copies what a running server has on a small file system to the same place outside, where everybody sees it.
    func bringOut(_ place: String, of server: ServerProcess) throws {
        guard case .mounts = self else { return }
        try server.bringOut(place)
    }
}

extension ServerProcess {
    /// Copies what a running server has at a place in its own name space to the same place outside, where everybody sees it.
    func bringOut(_ place: String) throws {
        let inside = "/proc/\(process.identifier)/root" + place
        for case let path as String in FileManager.default.enumerator(atPath: inside) ?? .init() {
            let target = place + "/" + path
            var isDirectory: ObjCBool = false
            guard unsafe FileManager.default.fileExists(atPath: inside + "/" + path, isDirectory: &isDirectory) else { continue }
            if isDirectory.boolValue {
                try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
            } else {
                try FileManager.default.copyItem(atPath: inside + "/" + path, toPath: target)
            }
        }
    }
}
