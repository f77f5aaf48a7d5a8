import Foundation
import Testing

@testable import CallreelArchive
@testable import CallreelCore
@testable import CallreelEngine

@Suite struct DirectoryCheckTests {
    @Test func `what can be a directory, or be made one, is right, and nothing is made`() throws {
        let workspace = try Workspace()
        for path in [
            workspace.path, workspace.path + "/", workspace.path + "/a/b",
            workspace.path + "/../" + (workspace.path as NSString).lastPathComponent,
        ] {
            #expect(DirectoryCheck.mistake(path) == nil, "\(path)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: workspace.path).isEmpty)
    }

    @Test func `a file in the way, and a link to nothing, are named`() throws {
        let workspace = try Workspace(), file = workspace.path + "/file", link = workspace.path + "/link"
        try Data().write(to: URL(fileURLWithPath: file))
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "/no/such/place")
        #expect(DirectoryCheck.mistake(file) == "is not a directory")
        #expect(DirectoryCheck.mistake(file + "/a/b") == "cannot be created: \(file) is not a directory")
        #expect(DirectoryCheck.mistake(link) == "cannot be created: \(link) is a broken symbolic link")
        #expect(DirectoryCheck.mistake(link + "/a") == "cannot be created: \(link) is a broken symbolic link")
        #expect(
            DirectoryCheck.mistake("/" + String(repeating: "x", count: 5000))?.contains("File name too long") == true)
    }

    @Test(.enabled(if: geteuid() == 0)) func `a directory of another user is named`() async {
        await #expect(processExitsWith: .success) {
            #expect(setuid(65534) == 0)
            for path in ["/usr", "/usr/a/b"] {
                let mistake = DirectoryCheck.mistake(path) ?? ""
                #expect(
                    mistake.hasSuffix("is not writable for user ID 65534: Permission denied"),
                    "\(mistake)")
            }
        }
    }
}
