import CallreelCore
import Foundation

/// A private mount name space for one server, in which file systems come, go and change, and nobody else sees it.
struct MountSpace: Sendable {
    /// The command that makes it.
    private let command: [String]
    /// Whether it is in a user name space of its own, so that no root is needed.
    private let isUserSpace: Bool

    /// What a scenario says that cannot do without.
    static let isNeeded = "nothing can be mounted here: it takes root, or user name spaces, and unshare, nsenter and mount"

    /// What can be done here: as root, or in a user name space; nil where the system lets us do neither.
    static func available(in directory: String) async throws -> MountSpace? {
        guard let unshare = Jury.find("unshare"), Jury.find("nsenter") != nil, Jury.find("mount") != nil else { return nil }
        let place = directory + "/trial"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        for (options, isUserSpace) in [(["-m"], false), (["-r", "-m"], true)] {
            let space = MountSpace(command: [unshare] + options, isUserSpace: isUserSpace)
            let trial = space.wrapper("mount -t tmpfs trial '\(place)'") + ["/bin/sh", "-c", "exit 0"]
            if try await ChildProcess(trial[0], Array(trial.dropFirst()), in: directory, log: place).result().status == 0 { return space }
        }
        return nil
    }

    /// The command in front of a server's own, which it takes as its arguments: makes the space, and in it what a script says.
    func wrapper(_ script: String = "true") -> [String] { command + ["/bin/sh", "-c", "\(script) && exec \"$@\"", "sh"] }

    /// The command that runs another one in the space of a server.
    private func entry(_ server: ServerProcess) -> [String] {
        [Jury.find("nsenter") ?? "nsenter", "-t", "\(server.process.identifier)", "-m"] + (isUserSpace ? ["-U", "--preserve-credentials"] : [])
    }

    /// Runs a script in the space of a server.
    func run(_ script: String, in server: ServerProcess) async throws {
        let command = entry(server) + ["/bin/sh", "-c", script]
        let result = try await ChildProcess(command[0], Array(command.dropFirst()), in: "/", log: server.directory + "/mounts").result()
        guard result.status == 0 else { throw SelfTestError("\(script) ended with \(result.status): \(result.errors.prefix(200))") }
    }

    /// Lets everything under a directory hang for a server, until the returned program is ended.
    func hang(_ place: String, in server: ServerProcess) async throws -> ChildProcess {
        let command = entry(server) + [ServerProcess.own, SelfTestHang.name, place]
        let program = try ChildProcess(command[0], Array(command.dropFirst()), in: "/", log: server.directory + "/hang")
        _ = try await eventually("a file system that hangs at \(place)") {
            guard program.isRunning else { throw SelfTestError("nothing could be mounted at \(place): \(program.errors)") }
            return program.text.contains(SelfTestHang.word) ? true : nil
        }
        return program
    }
}
