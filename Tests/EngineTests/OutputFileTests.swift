import Foundation
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

/// Limits the number of this process's open files.
private func limitOpenFiles(_ count: rlim_t) {
    var limit = rlimit(rlim_cur: count, rlim_max: count)
    #expect(unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
}

/// Limits the size of this process's files, in bytes.
private func limitFileSize(_ bytes: rlim_t) {
    var limit = rlimit(rlim_cur: bytes, rlim_max: .max)
    #expect(unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
}

@Suite struct OutputFileTests {
    @Test func `bytes go to the end of a new file, and its length is known`() throws {
        let workspace = try Workspace()
        let context = workspace.context()
        let file = try context.createFile("raw")
        #expect(file.name == "call.raw")
        #expect(file.path == workspace.file("call.raw"))
        try file.write(Data("one ".utf8).bytes)
        try file.write(Data("two".utf8).bytes)
        try file.write(Data().bytes)
        try file.synchronize()
        #expect(try file.byteCount() == 7)
        try file.close()
        #expect(try workspace.text("call.raw") == "one two")
        #expect(context.createdFiles == ["call.raw"])
    }

    @Test func `a file may begin with a text, and is the sink's own also where that could not be written`() async throws
    {
        let workspace = try Workspace()
        let file = try workspace.context().createFile("csv", beginning: "seconds,peak\n")
        try file.write("0,1\n")
        try file.close()
        #expect(try workspace.text("call.csv") == "seconds,peak\n0,1\n")
        await #expect(processExitsWith: .success) {
            signal(SIGXFSZ, SIG_IGN)
            let workspace = try Workspace(), context = workspace.context()
            limitFileSize(4)
            var failure: SinkError?
            do throws(SinkError) { _ = try context.createFile("csv", beginning: "seconds,peak\n") } catch {
                failure = error
            }
            // Before any message, because the message may be written to a file.
            limitFileSize(.max)
            let error = try #require(failure)
            #expect(error.underlying == EFBIG && error.code == .write)
            #expect(context.createdFiles == ["call.csv"])
        }
    }

    @Test func `an existing file is never opened`() throws {
        let workspace = try Workspace()
        try workspace.plant("call.raw", "precious")
        try FileManager.default.createSymbolicLink(
            atPath: workspace.file("call.link"), withDestinationPath: "/tmp/nowhere")
        let context = workspace.context()
        for suffix in ["raw", "link"] {
            let error = #expect(throws: SinkError.self) { _ = try context.createFile(suffix) }
            #expect(error?.underlying == EEXIST)
            #expect(error?.description.contains(workspace.file("call.\(suffix)")) == true)
        }
        #expect(try workspace.text("call.raw") == "precious")
        #expect(context.createdFiles.isEmpty)
    }

    @Test(arguments: ["", "json", "../x", "a/b", ".raw"])
    func `an ending that could leave the directory or take the manifest's place is refused as a bug`(suffix: String)
        throws
    {
        let workspace = try Workspace()
        let error = #expect(throws: SinkError.self) { _ = try workspace.context().createFile(suffix) }
        #expect(error?.blame == .bug)
        #expect(try workspace.files().isEmpty)
    }

    @Test(arguments: ["json.new", "json.final", "json.final.new"])
    func `an ending that the manifest's own files use is refused as a bug`(suffix: String) throws {
        let workspace = try Workspace()
        let error = #expect(throws: SinkError.self) { _ = try workspace.context().createFile(suffix) }
        #expect(error?.blame == .bug)
    }

    @Test func `the configured mode decides, not the process's umask`() async {
        await #expect(processExitsWith: .success) {
            for mask in [0, 0o077] as [mode_t] {
                umask(mask)
                let workspace = try Workspace()
                for mode in [0o600, 0o640, 0o644] {
                    _ = try workspace.context(mode: mode).createFile("\(mode).raw")
                    #expect(try workspace.mode("call.\(mode).raw") == mode)
                }
            }
        }
    }

    @Test func `a file that nobody closed is closed with its value`() async {
        await #expect(processExitsWith: .success) {
            let workspace = try Workspace()
            let context = workspace.context()
            limitOpenFiles(100)
            for number in 0..<500 { _ = try context.createFile("\(number).raw") }
            #expect(context.createdFiles.count == 500)
        }
    }
}
