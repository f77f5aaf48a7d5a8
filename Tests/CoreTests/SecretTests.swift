import Foundation
import Testing

@testable import CallreelCore

private struct Guarded: Configurable {
    var password: Secret?
    var places: [String] = []

    static let fields: [Field<Self>] = [
        .secret("password", \.password, minimum: 8, "A password."),
        .strings("places", \.places, of: "places", "Places.") { $0.isEmpty ? "is empty" : nil },
    ]
}

private struct House: Configurable {
    var guarded: Guarded?

    static let fields: [Field<Self>] = [.section("guarded", \.guarded, "A group or none.")]
}

@Suite struct SecretTests {
    private static let text = "correct horse"

    private func read<Group: Configurable>(_ text: String, _ type: Group.Type = Guarded.self) throws -> (
        Group, [String]
    ) {
        var problems: [ConfigurationProblem] = []
        let value = Group.read(try JSONValue(parsing: Data(text.utf8)), at: .root, problems: &problems)
        return (value, problems.map(\.description))
    }

    private func value(_ secret: Secret?) throws -> String? {
        try secret?.value(at: ConfigurationPath.root.key("password"))
    }

    @Test func `a secret can be had, and not be seen`() throws {
        let (group, problems) = try read(#"{"password": "\#(Self.text)"}"#)
        #expect(problems.isEmpty)
        #expect(try value(group.password) == Self.text)
        #expect(group.password.map { "\($0)" } == Secret.shown)
        var dumped = ""
        dump(group, to: &dumped)
        for shown in [
            "\(group)", String(reflecting: group), dumped, JSONValue.object(group.json).json(),
            "\(group.password as Any)",
        ] {
            #expect(!shown.contains(Self.text), "\(shown)")
        }
        #expect(group.json["password"] == "(secret)" && Guarded().json["password"] == .null)
    }

    @Test(arguments: [
        (#"{"password": "hunter2"}"#, "password: has fewer than 8 characters"),
        (#"{"password": ""}"#, "password: is empty; use null for none"),
        (#"{"password": ["hunter2"]}"#, "password: this value is not text in double quotes"),
        (#"{"password": "file:"}"#, #"password: has no file name after "file:""#),
        (#""hunter2""#, "this value is not an object with keys such as password, places"),
    ])
    func `no mistake shows it`(text: String, problem: String) throws {
        #expect(try read(text).1 == [problem])
    }

    @Test func `it may be in a file, whose last newline is not part of it`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("secret-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("password")
        for (content, expected) in [
            ("correct horse", "correct horse"), ("correct horse\n", "correct horse"),
            ("correct horse\r\n", "correct horse"),
            ("correct horse\n\n", "correct horse\n"), (" correct horse ", " correct horse "),
        ] {
            try Data(content.utf8).write(to: file)
            for prefix in ["file:", "file://"] {
                let (group, problems) = try read(#"{"password": "\#(prefix)\#(file.path)"}"#)
                #expect(problems.isEmpty)
                #expect(try value(group.password) == expected)
            }
        }
        let group = try read(#"{"password": "file:\#(file.path)"}"#).0
        for (content, reason) in [
            (Data("short\n".utf8), "has fewer than 8 characters"), (Data("\n".utf8), "is empty"),
            (Data([0xFF, 0xFE]), "is not UTF-8 text"),
            (Data(repeating: 0x61, count: 1 << 17), "has more than"), (nil, "does not exist"),
        ] {
            if let content { try content.write(to: file) } else { try FileManager.default.removeItem(at: file) }
            let problem = #expect(throws: ConfigurationProblem.self) { try value(group.password) }
            let text = problem?.description ?? ""
            #expect(text.hasPrefix("password: ") && text.contains(reason) && text.contains(file.path), "\(text)")
            #expect(!text.contains("short\n"))
        }
    }

    @Test func `lists are checked one by one, and a group may be none or must be whole`() throws {
        #expect(try read(#"{"places": ["a", "b"]}"#).0.places == ["a", "b"])
        #expect(
            try read(#"{"places": ["a", "", 3]}"#).1 == [
                #"places[1]: "" is empty"#, "places[2]: 3 is not text in double quotes",
            ])
        #expect(try read(#"{"places": "a"}"#).1 == [#"places: "a" is not a list in square brackets"#])
        #expect(try read("{}", House.self).0.guarded == nil)
        #expect(try read(#"{"guarded": null}"#, House.self).1.isEmpty)
        #expect(try read(#"{"guarded": {"places": []}}"#, House.self).1 == ["guarded.password: is missing"])
        #expect(House().json["guarded"] == .null)
        #expect(House.schema()["properties"]?["guarded"]?["default"] == .null)
    }
}
