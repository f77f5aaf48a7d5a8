import Foundation
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct StoreDirectoryTests {
    @Test func `a store is prepared more than once, and leaves nothing behind but its directories`() throws {
        let workspace = try Workspace()
        let store = RecordingStore(directory: workspace.file("deep/er/recordings/"), template: try NameTemplate("{id}"))
        try store.prepare()
        try store.prepare()
        #expect(store.directory == workspace.file("deep/er/recordings"))
        #expect(try workspace.files() == ["deep/er/recordings/.partial"])
    }

    @Test func `a place where nothing can be made is named`() throws {
        let workspace = try Workspace()
        try workspace.plant("file", "not a directory")
        for path in ["file/recordings", "file"] {
            let store = RecordingStore(directory: workspace.file(path), template: try NameTemplate("{id}"))
            let error = #expect(throws: DiskError.self) { try store.prepare() }
            #expect(error?.description.contains(workspace.file("file")) == true)
            #expect(error?.underlying == ENOTDIR)
        }
        #expect(try workspace.text("file") == "not a directory")
    }

    @Test(arguments: [(0o600, 0o700), (0o640, 0o750), (0o644, 0o755)])
    func `the configured mode decides who may read, not the process's umask`(mode: Int, directoryMode: Int) async {
        await #expect(processExitsWith: .success) { [mode, directoryMode] in
            for mask in [0, 0o077] as [mode_t] {
                umask(mask)
                let bench = try StoreBench(mode: mode)
                _ = try bench.call().publish()
                for name in ["day/call.flac", "day/call.json", "day/call.raw"] {
                    #expect(try bench.workspace.mode(name) == mode)
                }
                for name in ["day", ".partial"] { #expect(try bench.workspace.mode(name) == directoryMode) }
            }
        }
    }

    /// chmod(2) with the plain bits removes the set-group-ID bit, and with it the group that may read the files.
    @Test func `files and directories get the group of a directory that passes it on`() async {
        await #expect(processExitsWith: .success) {
            // The second one takes bits away that have to be set again.
            for mask in [0o022, 0o077] as [mode_t] {
                umask(mask)
                let workspace = try Workspace()
                try FileManager.default.setAttributes([.posixPermissions: 0o2755], ofItemAtPath: workspace.path)
                let bench = try StoreBench(in: workspace)
                let call = try bench.call()
                #expect(try workspace.mode(".partial") == 0o2750)
                #expect(try workspace.mode(".partial/\(call.ledger.id)") == 0o2750)
                _ = try call.publish()
                #expect(try workspace.mode("day") == 0o2750)
            }
        }
    }

    @Test func `a directory that must exist is not made`() throws {
        let workspace = try Workspace()
        let store = RecordingStore(
            directory: workspace.file("mnt/recordings"), template: try NameTemplate("{id}"), mustExist: true)
        let error = #expect(throws: DiskError.self) { try store.prepare() }
        #expect(error?.description.contains(workspace.file("mnt/recordings")) == true)
        #expect(try workspace.files().isEmpty)
        try FileManager.default.createDirectory(
            atPath: workspace.file("mnt/recordings"), withIntermediateDirectories: true)
        try store.prepare()
    }

    @Test func `nothing is made below a recordings directory that has gone`() throws {
        let bench = try StoreBench()
        let call = try bench.call()
        try FileManager.default.moveItem(atPath: bench.workspace.path, toPath: bench.workspace.path + "-away")
        defer { try? FileManager.default.removeItem(atPath: bench.workspace.path + "-away") }
        #expect(throws: DiskError.self) { _ = try bench.call() }
        #expect(throws: DiskError.self) { _ = try call.publish() }
        let path = bench.workspace.path
        let error = #expect(throws: DiskError.self) {
            try FileSystem.makeDirectories(path + "/day/call", below: path, mode: 0o750)
        }
        #expect(error?.underlying == ENOENT)
        #expect(!FileSystem.exists(bench.workspace.path))
    }

    @Test func `the room of a file system is a number, whatever it reports`() {
        func room(_ blocks: UInt64, _ size: UInt64, _ files: UInt64 = 1, _ all: UInt64 = 1) -> FileSystem.Room {
            FileSystem.room(blocks: blocks, blockSize: size, files: files, totalFiles: all)
        }
        #expect(room(1000, 4096).bytes == 4_096_000)
        // Where reserved blocks are in use.
        #expect(room(UInt64(bitPattern: -100), 4096).bytes == 0)
        #expect(room(1 << 62, 4096).bytes == .max)
        #expect(room(1, 1, UInt64(bitPattern: -1)).files == 0)
        #expect(room(1, 1, 0, 0).files == nil, "btrfs counts none")
    }

    @Test(arguments: [
        ("a/b", "/base/a/b"), ("./a//b/", "/base/a/b"), ("../x", "/x"), ("../../..", "/"), ("/a/../b/.", "/b"),
        ("/", "/"), ("~/x", "/base/~/x"),
    ])
    func `a path is made absolute without a look at the disk`(path: String, absolute: String) {
        #expect(RecordingStore.absolute(path, from: "/base") == absolute)
    }

    @Test func `a directory that somebody else made keeps its mode`() throws {
        let workspace = try Workspace()
        try FileManager.default.createDirectory(
            atPath: workspace.file("mine"), withIntermediateDirectories: false, attributes: [.posixPermissions: 0o711])
        try RecordingStore(directory: workspace.file("mine"), template: try NameTemplate("{id}"), fileMode: 0o640)
            .prepare()
        #expect(try workspace.mode("mine") == 0o711)
    }

    @Test func `a file is replaced whole, through a file that may be left over from before`() throws {
        let workspace = try Workspace()
        try workspace.plant("target", "old")
        try workspace.plant("target.new", "half of")
        try FileSystem.replace(
            workspace.file("target"), with: Data("new".utf8), mode: 0o640, through: workspace.file("target.new"))
        #expect(try workspace.text("target") == "new")
        #expect(try workspace.files() == ["target"])
    }

    @Test func `a file is hashed as it is, also when it is long or empty`() throws {
        let workspace = try Workspace()
        try workspace.plant("empty", "")
        let empty = try FileSystem.seal(workspace.file("empty"))
        #expect(empty.bytes == 0)
        #expect(empty.sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        // A million times the letter a: FIPS 180-4's own example.
        try workspace.plant("long", String(repeating: "a", count: 1_000_000))
        let long = try FileSystem.seal(workspace.file("long"))
        #expect(long.bytes == 1_000_000)
        #expect(long.sha256 == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func `a link is not followed when a recording is sealed`() throws {
        let workspace = try Workspace()
        try workspace.plant("secret", "secret")
        try FileManager.default.createSymbolicLink(
            atPath: workspace.file("link"), withDestinationPath: workspace.file("secret"))
        #expect(throws: DiskError.self) { try FileSystem.seal(workspace.file("link")) }
    }
}
