import CallreelCore
import Foundation

/// A private mount namespace for one server. Mounts made there are invisible to other processes.
struct MountSpace: Sendable {
    /// The command to make the namespace.
    private let command: [String]
    /// It has its own user namespace, and so needs no root.
    private let isUserSpace: Bool

    /// Message of a scenario whose mounts are impossible here.
    static let isNeeded =
        "cannot mount here: this needs root or user name spaces, and unshare, nsenter and mount"

    /// Finds a way to mount: as root, or in a user namespace. Returns nil if the system allows neither.
    static func available(in directory: String) async throws -> MountSpace? {
        guard let unshare = Jury.find("unshare"), Jury.find("nsenter") != nil, Jury.find("mount") != nil else {
            return nil
        }
        let place = directory + "/trial"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        for (options, isUserSpace) in [(["-m"], false), (["-r", "-m"], true)] {
            let space = MountSpace(command: [unshare] + options, isUserSpace: isUserSpace)
            let trial = space.wrapper("mount -t tmpfs trial '\(place)'") + ["/bin/sh", "-c", "exit 0"]
            if try await ChildProcess(trial[0], Array(trial.dropFirst()), in: directory, log: place).result().status
                == 0
            {
                return space
            }
        }
        return nil
    }

    /// Returns a prefix for a server's command. It makes the namespace and runs a script there before the server.
    func wrapper(_ script: String = "true") -> [String] {
        command + ["/bin/sh", "-c", "\(script) && exec \"$@\"", "sh"]
    }

    /// Returns a prefix for running a command in the namespace of a server.
    private func entry(_ server: ServerProcess) -> [String] {
        [Jury.find("nsenter") ?? "nsenter", "-t", "\(server.process.identifier)", "-m"]
            + (isUserSpace ? ["-U", "--preserve-credentials"] : [])
    }

    /// Runs a script in the namespace of a server.
    func run(_ script: String, in server: ServerProcess) async throws {
        let command = entry(server) + ["/bin/sh", "-c", script]
        let result = try await ChildProcess(
            command[0], Array(command.dropFirst()), in: "/", log: server.directory + "/mounts"
        ).result()
        guard result.status == 0 else {
            throw SelfTestError("\(script) ended with \(result.status): \(result.errors.prefix(200))")
        }
    }

    /// Makes everything under a directory hang for a server, until the returned program ends.
    func hang(_ place: String, in server: ServerProcess) async throws -> ChildProcess {
        let command = entry(server) + [ServerProcess.own, HangingDirectory.command, place]
        let program = try ChildProcess(command[0], Array(command.dropFirst()), in: "/", log: server.directory + "/hang")
        _ = try await eventually("a file system that hangs at \(place)") {
            guard program.isRunning else {
                throw SelfTestError("cannot mount at \(place): \(program.errors)")
            }
            return program.text.contains(HangingDirectory.word) ? true : nil
        }
        return program
    }
}
