import CallreelCore
import Foundation
import Subprocess

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// The part of the server's environment passed to a program. The rest may contain secrets.
struct ProgramEnvironment: Sendable {
    /// The variables that a program needs to find other programs, its configuration, temporary files and its language.
    static let usual = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"]

    /// The directories searched if `PATH` is not set.
    private static let usualDirectories = "/usr/local/bin:/usr/bin:/bin"

    /// The variables in Subprocess's form.
    let subprocess: Environment
    private let path: String

    /// Takes the usual and the named variables, if they are set.
    init(adding names: [String]) {
        let ours = ProcessInfo.processInfo.environment
        var values: [Environment.Key: String] = [:]
        for name in Self.usual + names {
            if let key = Environment.Key(rawValue: name), let value = ours[name] { values[key] = value }
        }
        subprocess = .custom(values)
        path = ours["PATH"] ?? Self.usualDirectories
    }

    /// Returns the path of a program, given by name or by a path with a slash. Blocks.
    func find(_ program: String) throws(SinkError) -> FilePath {
        if program.contains("/") {
            guard Self.isProgram(program) else {
                let reason = "is not an executable file, or does not exist"
                throw SinkError(.open, "\"\(program)\" \(reason)", blame: .options)
            }
            return FilePath(program)
        }
        // An empty name between two colons is the current directory (POSIX.1-2017, Base Definitions, section 8.3).
        let places = path.split(separator: ":", omittingEmptySubsequences: false).map {
            ($0.isEmpty ? "." : $0) + "/" + program
        }
        guard let place = places.first(where: Self.isProgram) else {
            throw SinkError(
                .open, "\"\(program)\" is not an executable file in a directory of PATH", blame: .options)
        }
        return FilePath(place)
    }

    private static func isProgram(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        let exists = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
        return exists && !isDirectory.boolValue && FileManager.default.isExecutableFile(atPath: path)
    }
}
