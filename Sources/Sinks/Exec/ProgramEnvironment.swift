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

    /// The variables, as the library takes them.
    let subprocess: Environment

    /// Takes the usual variables and the named ones, as far as they are set.
    init(adding names: [String]) {
        let ours = ProcessInfo.processInfo.environment
        var values: [Environment.Key: String] = [:]
        for name in Self.usual + names {
            if let key = Environment.Key(rawValue: name), let value = ours[name] { values[key] = value }
        }
        subprocess = .custom(values)
    }

    /// The path of a program that is named by itself, or by a path with a slash in it.
    func find(_ program: String) async throws(SinkError) -> FilePath {
        if program.contains("/") {
            var isDirectory: ObjCBool = false
            let isFile = unsafe FileManager.default.fileExists(atPath: program, isDirectory: &isDirectory) && !isDirectory.boolValue
            guard isFile, FileManager.default.isExecutableFile(atPath: program) else {
                let reason = "is not a program that can be run: there is no such file, or it is not executable"
                throw SinkError(.open, "\"\(program)\" \(reason)", blame: .options)
            }
            return FilePath(program)
        }
        do {
            return try await Executable.name(program).resolveExecutablePath(in: subprocess)
        } catch {
            throw SinkError(.open, "\"\(program)\" is in no directory of PATH as a program that can be run", blame: .options)
        }
    }
}
