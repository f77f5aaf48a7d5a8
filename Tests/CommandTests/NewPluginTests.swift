import Foundation
import TestSupport
import Testing

/// `callreel new-plugin`. `scripts/test-new-plugin` builds the packages and runs their tests.
@Suite struct NewPluginTests {
    private let directory = TemporaryDirectory()

    private func make(_ arguments: String...) async throws -> Program.Result {
        try await Program.callreel.run(["new-plugin"] + arguments, in: directory.path)
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: directory.path + "/" + path, encoding: .utf8)
    }

    @Test(arguments: [
        ("sink", "1st", "is not a name such as Peak"), ("sink", "my-sink", "is not a name such as Peak"),
        ("sink", "", "is not a name such as Peak"), ("sink", "Größe", "is not a name such as Peak"),
        ("sink", "../Peak", "is not a name such as Peak"), ("sink", "a\nb", "is not a name such as Peak"),
        ("sink", "A234567890123456789012345678901234", "has more than 32 characters"),
        ("sink", "Sink", "is the name of the family"), ("delivery", "Delivery", "is the name of the family"),
        ("sink", "class", "\"class\" is a keyword of Swift"), ("delivery", "Where", "\"where\" is a keyword of Swift"),
        ("carrier", "Self", "\"Self\" is a keyword of Swift"), ("sink", "VarSink", "\"var\" is a keyword of Swift"),
        ("sink", "Wav", "has a sink type \"wav\" already"), ("sink", "FLAC", "has a sink type \"flac\" already"),
        ("sink", "WAVSink", "has a sink type \"wav\" already"),
        ("carrier", "pcm", "has a carrier type \"pcm\" already"),
        ("delivery", "Exec", "has a delivery type \"exec\" already"),
        ("sink", "Audio", "AudioSink is a name of Callreel's own interface"),
        ("sink", "Json", "\"json\" is a reserved name"), ("sink", "Part2", "\"part2\" is a reserved name"),
        ("plugin", "Peak", "'sink', 'carrier' or 'delivery'"),
    ])
    func `a name that cannot be used is refused, with the reason`(family: String, name: String, reason: String)
        async throws
    {
        let result = try await make(family, name)
        #expect(result.status == 64 && result.errors.contains(reason), "\(result.status): \(result.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
    }

    @Test(arguments: [
        ("sink", "Peak", "PeakSink", "peak", "peak-recorder"),
        ("sink", "PeakSink", "PeakSink", "peak", "peak-recorder"),
        ("sink", "VAD", "VADSink", "vad", "vad-recorder"),
        ("sink", "wavCopy", "WavCopySink", "wavCopy", "wavcopy-recorder"),
        ("delivery", "HTTPUpload", "HTTPUploadDelivery", "httpUpload", "httpupload-recorder"),
        ("delivery", "S3", "S3Delivery", "s3", "s3-recorder"),
        ("carrier", "SIP2Call", "SIP2CallCarrier", "sip2Call", "sip2call-recorder"),
    ])
    func `a name makes the names of the type, its entry and its program`(
        family: String, name: String, swiftType: String, type: String, program: String
    ) async throws {
        let result = try await make(family, name, "--directory", "new")
        #expect(result.status == 0, "\(result.errors)")
        let files = directory.files(in: "new")
        let plugin = try #require(files.first { $0.hasPrefix("Sources/") && $0.hasSuffix("/\(swiftType).swift") })
        let code = try text("new/\(plugin)")
        #expect(code.contains("struct \(swiftType): ") && code.contains("static let type = \"\(type)\""))
        #expect(try text("new/recorder.json").contains("\"type\": \"\(type)\""))
        #expect(try text("new/Package.swift").contains("name: \"\(program)\""))
        // Each file is named in the output, and nothing else was made.
        #expect(files.count == 8)
        for file in files { #expect(result.text.contains("  new/\(file)\n"), "\(file)") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["new"])
    }

    @Test func `whatever is in the place of the package is left alone`() async throws {
        let files = FileManager.default
        try files.createDirectory(atPath: directory.path + "/Peak", withIntermediateDirectories: false)
        try "mine".write(toFile: directory.path + "/Peak/README.md", atomically: false, encoding: .utf8)
        try files.createDirectory(atPath: directory.path + "/empty", withIntermediateDirectories: false)
        try "mine".write(toFile: directory.path + "/file", atomically: false, encoding: .utf8)
        try files.createSymbolicLink(atPath: directory.path + "/link", withDestinationPath: "nowhere")
        for place in ["Peak", "empty", "file", "link", "./Peak/", "."] {
            let result = try await make("sink", "Peak", "--directory", place)
            #expect(
                result.status == 1 && result.errors.contains("\(place) exists already. Nothing was changed"),
                "\(place): \(result.errors)")
        }
        #expect(try await make("sink", "Peak").status == 1)
        #expect(try await make("sink", "Peak", "--directory", "no/such/place").errors.contains("No such file"))
        #expect(directory.files() == ["Peak/README.md", "file"])
        #expect(try text("Peak/README.md") == "mine" && text("file") == "mine")
        #expect(try files.contentsOfDirectory(atPath: directory.path).count == 4)
    }

    @Test func `a write that fails leaves nothing`() async throws {
        let script = "ulimit -f 1; exec \"$0\" new-plugin sink Peak"
        let result = try await Program("bash").run(["-c", script, Program.callreel.path], in: directory.path)
        #expect(
            result.status == 1 && result.errors.contains("cannot write Peak/") && result.errors.contains("too large"),
            "\(result.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
    }

    @Test func `a program that was copied alone has the templates, and asks for the source`() async throws {
        let copy = directory.path + "/bin/callreel"
        try FileManager.default.createDirectory(
            atPath: directory.path + "/bin", withIntermediateDirectories: false)
        try FileManager.default.copyItem(atPath: Program.callreel.path, toPath: copy)
        let program = Program(path: copy)
        let blind = try await program.run(["new-plugin", "sink", "Peak"], in: directory.path)
        #expect(blind.status == 64 && blind.errors.contains("with --callreel"), "\(blind.errors)")
        for (source, line) in [
            (
                "https://example.com/acme/Recorder.git",
                #".package(url: "https://example.com/acme/Recorder.git", from: "0."#
            ),
            ("git@example.com:acme/recorder", #".package(url: "git@example.com:acme/recorder", from: "0."#),
        ] {
            let made = try await program.run(
                ["new-plugin", "carrier", "Acme", "--callreel", source, "--directory", "new"], in: directory.path)
            #expect(made.status == 0, "\(made.errors)")
            let package = try text("new/Package.swift")
            #expect(
                package.contains(line) && package.contains(#""CallreelCarriers", package: "recorder")"#), "\(package)")
            try FileManager.default.removeItem(atPath: directory.path + "/new")
        }
    }

    @Test func `the source is a directory of Callreel's, and its path is written as Swift reads it`() async throws {
        for wrong in [".", "nowhere", "/dev/null", "https://", "https:///", "https://host/ x"] {
            let result = try await make("sink", "Peak", "--callreel", wrong)
            #expect(result.status == 64 && result.errors.contains("\"\(wrong)\" is not"), "\(wrong): \(result.errors)")
        }
        #expect(directory.files() == [])
        let odd = "a \"b\" \\(c)"
        for file in ["Package.swift", "Sources/Core/Version.swift"] {
            let path = URL(fileURLWithPath: "\(directory.path)/\(odd)/\(file)")
            try FileManager.default.createDirectory(
                at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data().write(to: path)
        }
        let result = try await make("sink", "Peak", "--callreel", odd)
        #expect(result.status == 0, "\(result.errors)")
        #expect(try text("Peak/Package.swift").contains(#"/a \"b\" \\(c)")"#))
    }
}
