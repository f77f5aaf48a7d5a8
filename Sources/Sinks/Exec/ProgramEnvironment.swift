import CallreelCore
import Foundation
import Subprocess

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// What a program gets of the server's environment, which has secrets in it that are none of the program's business.
struct ProgramEnvironment: Sendable {
    /// What a program needs to find others, its configuration, a place for temporary files, and its language.
    static let usual = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"]

    /// Where programs are looked for without a `PATH`.
    private static let usualDirectories = "/usr/local/bin:/usr/bin:/bin"

    /// The variables, as the library takes them.
    let subprocess: Environment
    private let path: String

    /// Takes the usual variables and the named ones, as far as they are set.
    init(adding names: [String]) {
        let ours = ProcessInfo.processInfo.environment
        var values: [Environment.Key: String] = [:]
        for name in Self.usual + names {
            if let key = Environment.Key(rawValue: name), let value = ours[name] { values[key] = value }
        }
        subprocess = .custom(values)
        path = ours["PATH"] ?? Self.usualDirectories
    }

    /// The path of a program that is named by itself, or by a path with a slash in it. Blocks.
    func find(_ program: String) throws(SinkError) -> FilePath {
        if program.contains("/") {
            guard Self.isProgram(program) else {
                let reason = "is not a program that can be run: there is no such file, or it is not executable"
                throw SinkError(.open, "\"\(program)\" \(reason)", blame: .options)
            }
            return FilePath(program)
        }
        // An empty name between two colons is the current directory (POSIX.1-2017, Base Definitions, section 8.3).
        let places = path.split(separator: ":", omittingEmptySubsequences: false).map { ($0.isEmpty ? "." : $0) + "/" + program }
        guard let place = places.first(where: Self.isProgram) else {
            throw SinkError(.open, "\"\(program)\" is in no directory of PATH as a program that can be run", blame: .options)
        }
        return FilePath(place)
    }

    private static func isProgram(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        let exists = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
        return exists && !isDirectory.boolValue && FileManager.default.isExecutableFile(atPath: path)
    }
}
