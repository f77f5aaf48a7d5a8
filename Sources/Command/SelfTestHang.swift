import ArgumentParser
import CallreelSelfTest
import Foundation

/// `callreel selftest-hang`: a file system that never answers while this process lives.
///
/// It is FUSE without a server. The kernel hands every request to the holder of `/dev/fuse`, and this process does not
/// read them. A process that uses the directory waits, as on a network file system with a dead server.
/// No compiler and no library is needed.
struct SelfTestHang: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: HangingDirectory.command, abstract: "Simulates a hanging directory, for callreel selftest.",
        shouldDisplay: false)

    @Argument(help: "The directory.")
    var directory: String

    func run() throws {
        #if os(Linux)
            let device = unsafe open("/dev/fuse", O_RDWR)
            guard device >= 0 else { throw SelfTestError("cannot open /dev/fuse: error \(errno)") }
            let options = "fd=\(device),rootmode=40000,user_id=\(getuid()),group_id=\(getgid())"
            let result = unsafe options.withCString {
                unsafe mount("callreel-selftest", directory, "fuse", UInt(MS_NOSUID) | UInt(MS_NODEV), $0)
            }
            guard result == 0 else {
                throw SelfTestError("cannot mount a FUSE file system at \(directory): error \(errno)")
            }
            Terminal.say(HangingDirectory.word)
            while true { pause() }
        #else
            throw SelfTestError("this system has no FUSE")
        #endif
    }
}
