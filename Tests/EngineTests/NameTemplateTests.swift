import CallreelCore
import Foundation
import Testing

@testable import CallreelEngine

/// Puts the whole process into another time zone, on another day.
private func moveToAuckland() throws {
    unsafe setenv("TZ", "Pacific/Auckland", 1)
    tzset()
    NSTimeZone.default = try #require(TimeZone(identifier: "Pacific/Auckland"))
}

@Suite struct NameTemplateTests {
    static let id = RecordingID("63f61863a1b2c3d4e5f60718293a4b5c")!
    /// 2026-11-22 at a quarter past ten at night, in Greenwich.
    static let evening = Date(timeIntervalSince1970: 1_795_385_700)

    func name(_ template: String, _ call: CallFacts = CallFacts(carrier: "vonage"), at date: Date = evening) throws
        -> String
    {
        try NameTemplate(template).name(id: Self.id, call: call, startedAt: date)
    }

    @Test(arguments: [
        ("", "does not end in a file name"),
        ("/", "does not end in a file name"),
        ("calls/", "does not end in a file name"),
        ("/calls", "has an empty part in its path"),
        ("a//b", "has an empty part in its path"),
        (".hidden", "has a part that begins with a dot, which would be hidden"),
        ("a/../b", "has a part that begins with a dot, which would be hidden"),
        ("a/.{id}", "has a part that begins with a dot, which would be hidden"),
        ("{id", "has a { without its }"),
        ("id}", "has a } without its {"),
        ("{id}}", "has a } without its {"),
        ("a:b", "contains \":\"; use letters, digits, spaces and - _ . + @ / and placeholders"),
        ("a\u{0}b", "contains \"\u{0}\"; use letters, digits, spaces and - _ . + @ / and placeholders"),
        ("é", "contains \"é\"; use letters, digits, spaces and - _ . + @ / and placeholders"),
        ("{}", "has the unknown placeholder {}; known are date, time, id, from, to, uuid, conversation, carrier, part"),
        (
            "{form}",
            "has the unknown placeholder {form}; known are date, time, id, from, to, uuid, conversation, carrier, part; did you mean {from}?"
        ),
        (
            "{from|somebody|to}",
            "has the unknown placeholder \"somebody\" in {from|somebody|to}; only the last alternative may be text"
        ),
        ("{from|a:b}", "contains \":\"; use letters, digits, spaces and - _ . + @ / and placeholders"),
    ])
    func `a bad template says what is wrong with it`(template: String, reason: String) {
        let error = #expect(throws: DiskError.self) { try NameTemplate(template) }
        #expect(error?.reason == reason)
    }

    @Test(arguments: ["{from|}", "{from|/}", "{from|a/b}", "calls/{from|}"])
    func `a fall-back that could leave a part of the path empty or make a new one is refused`(template: String) {
        #expect(throws: DiskError.self) { try NameTemplate(template) }
    }

    @Test func `the template of the default configuration names a call`() throws {
        let template = "{date}/{time}-{from|unknown}-{id}"
        #expect(
            try name(template, CallFacts(carrier: "vonage", from: "447700900123"))
                == "2026-11-22/221500Z-447700900123-63f61863")
        #expect(try name(template) == "2026-11-22/221500Z-unknown-63f61863")
    }

    @Test func `every placeholder is filled`() throws {
        let call = CallFacts(carrier: "vonage", from: "1", to: "2", uuid: "3", conversation: "CON-4")
        let template = NameTemplate.placeholders.map { "{\($0)}" }.joined(separator: " ")
        #expect(try name(template, call) == "2026-11-22 221500Z 63f61863 1 2 3 CON-4 vonage")
    }

    @Test func `the first alternative that is known is used`() throws {
        let template = "{from|to|uuid|nobody}"
        #expect(try name(template, CallFacts(carrier: "x", from: "1", to: "2")) == "1")
        #expect(try name(template, CallFacts(carrier: "x", to: "2", uuid: "3")) == "2")
        #expect(try name(template, CallFacts(carrier: "x", from: "", uuid: "3")) == "3")
        #expect(try name(template) == "nobody")
        #expect(try name("{from}") == "unknown")
    }

    @Test func `days and hours are those of Greenwich, wherever the program runs`() async {
        await #expect(processExitsWith: .success) {
            try moveToAuckland()
            let template = try NameTemplate("{date} {time}")
            #expect(
                template.name(
                    id: NameTemplateTests.id, call: CallFacts(carrier: "x"), startedAt: NameTemplateTests.evening)
                    == "2026-11-22 221500Z")
        }
    }

    static let hostile = [
        "../../etc/passwd", "/etc/passwd", "a\u{0}b", "a\nb\r\nc", "🎧👨‍👩‍👧‍👦", "..", ".", "...", "", " ", "%2e%2e",
        "%2e%2e%2f", "..\\..\\windows", "-rf",
        "~", "$(id)",
        "a\u{202E}b", "e\u{301}", "+44 7700 900123", "sip:alice@example.com;transport=tcp", ".hidden", "con\u{7F}",
        "{id}", "*?<>|\"",
        String(repeating: "x", count: 300), String(repeating: "🎧", count: 300), String(repeating: "../", count: 100),
    ]

    @Test(arguments: hostile)
    func `whatever a caller says stays one safe and visible part of the path`(fact: String) throws {
        let call = CallFacts(carrier: fact, from: fact, to: fact, uuid: fact, conversation: fact)
        for template in [
            "{from}", "{from}{to}{uuid}{conversation}{carrier}", "{date}/{from}", "{to}/{from}", "{from|to|x}-{id}",
        ] {
            let name = try name(template, call)
            let parts = name.split(separator: "/", omittingEmptySubsequences: false)
            #expect(parts.count == template.split(separator: "/").count, "\(name)")
            // A long value leaves room for the parts behind it.
            if template.hasSuffix("{id}") { #expect(name.hasSuffix("-63f61863"), "\(name)") }
            for part in parts {
                #expect(!part.isEmpty)
                #expect(!part.hasPrefix("."))
                #expect(part.utf8.count <= 200, "with its endings, at most 255 bytes")
                #expect(
                    part.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\\%:*?\"<>|$'`~(){}".utf8.contains($0) },
                    "\(part)")
            }
        }
    }

    @Test func `numbers and addresses stay as they are`() throws {
        for fact in ["447700900123", "+44-20", "alice@example.com", "a_b"] {
            #expect(try name("{from}", CallFacts(carrier: "x", from: fact)) == fact)
        }
    }

    @Test(arguments: [
        ("call-{part}", "call", "call-{part}"), ("{part}-call", "call", "{part}-call"),
        ("a/{id}_{part}_z", "a/ID_z", "a/ID_{part}_z"),
        ("a/{part}.x", "a/x", "a/{part}.x"), ("call", "call", nil),
    ])
    func `the number of a part stands in the names of files, and not in that of the manifest`(
        text: String, name: String, partName: String?
    ) throws {
        let template = try NameTemplate(text)
        let id = RecordingID(), call = CallFacts(carrier: "test")
        #expect(template.name(id: id, call: call, startedAt: Date()) == name.replacing("ID", with: id.short))
        #expect(template.partName(id: id, call: call, startedAt: Date()) == partName?.replacing("ID", with: id.short))
    }

    @Test(arguments: [
        ("{part}", "has only"), ("a/-{part}", "has only"), ("{part}/a", "directory"),
        ("{part}-{part}", "more than once"),
        ("{part|x}-a", "alternatives"),
    ])
    func `a template that has no place for the number says so`(text: String, reason: String) {
        let error = #expect(throws: DiskError.self) { try NameTemplate(text) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func `the number of a part is never cut off`() throws {
        let long = String(repeating: "x", count: 170)
        let template = try NameTemplate("\(long)-{part}-\(long)")
        let name = try #require(
            template.partName(id: RecordingID(), call: CallFacts(carrier: "test"), startedAt: Date()))
        #expect(name.contains("{part}"))
        #expect(name.utf8.count <= 190)
    }
}
