import CallreelCore
import Foundation
import TestSupport
import Testing

@Suite struct JSONValueTests {
    @Test(arguments: [
        "null", "true", "false", "0", "1", "-17", "9223372036854775807", "-9223372036854775808", "0.5", "-2.25e-07",
        #""""#,
        #""a \"quote\", a \\ and a / and \n""#, #""é 🎧""#, "[]", "{}", #"[1,[2,[null,true]],"x"]"#,
        #"{"a":{"b":[0,1.5]},"c":null}"#,
    ])
    func `what is printed is read back as it was`(text: String) throws {
        let value = try JSONValue.parse(text)
        #expect(try JSONValue.parse(value.json()) == value)
        #expect(try JSONValue.parse(value.json(pretty: true)) == value)
        if !text.contains("\\") && !text.contains("e-") { #expect(value.json() == text) }
    }

    @Test func `truth values and numbers are not taken for each other`() throws {
        #expect(
            try JSONValue.parse("[true,1,false,0,1.0,0.5]")
                == .array([.boolean(true), 1, .boolean(false), 0, .number(1), .number(0.5)]))
        #expect(JSONValue.boolean(true).double == nil)
        #expect(JSONValue.integer(1).string == nil)
    }

    @Test func `a number too big for a whole number keeps its magnitude`() throws {
        #expect(try JSONValue.parse("9223372036854775808") == .number(9_223_372_036_854_775_808))
        #expect(try JSONValue.parse("1e300").double == 1e300)
    }

    @Test func `a number beyond every format is refused`() {
        #expect(throws: JSONSyntaxError.self) { try JSONValue.parse("[1, 1e400]") }
    }

    @Test func `a number that JSON cannot say is null, and spoils nothing around it`() throws {
        let value: JSONValue = .object(["peak": .number(-.infinity), "mean": .number(.nan), "clipped": 3])
        #expect(value.json() == #"{"clipped":3,"mean":null,"peak":null}"#)
    }

    @Test func `a syntax error names its place`() {
        for (text, place) in [
            ("{\"a\": 1,\n \"b\": }", "line 2, column 7"), ("{\"a\": 1", "line 1, column 8"), ("", "line 1, column 1"),
        ] {
            let error = #expect(throws: JSONSyntaxError.self) { try JSONValue.parse(text) }
            #expect(error?.reason.contains(place) == true, "\(text): \(error?.reason ?? "")")
            #expect(error?.description.contains("DecodingError") == false)
        }
    }

    @Test(arguments: [
        (#"{"a":1,"a":2}"#, JSONValue.object(["a": 2])), ("[0049123456]", .array(["0049123456"])),
        ("[+49123]", .array(["+49123"])),
        ("[12345678901234567890]", .array(["12345678901234567890"])), ("[1e999,.5,5.]", .array(["1e999", ".5", "5."])),
        ("[NaN,-Infinity,null]", .array(["NaN", "-Infinity", .null])),
        ("[1,-2,0.5,1e2]", .array([1, -2, .number(0.5), .number(100)])),
        ("[\"a\tb\"]", .array(["a\tb"])),
    ])
    func `what carriers and their customers write is taken where its meaning is clear`(text: String, value: JSONValue)
        throws
    {
        #expect(try JSONValue(lenient: Data(text.utf8)) == value)
    }

    @Test(arguments: ["", "{", "[1 2]", "[5x]", "nope", "{a:1}", "[1,]", "[1] 2", "[--]x", "[Infinit]"])
    func `what is no JSON is refused leniently as well`(text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONValue(lenient: Data(text.utf8)) }
    }

    @Test(arguments: [#"{"a":1,"a":2}"#, "[007]", "[+1]", "[NaN]", "[\"a\tb\"]"])
    func `a configuration is read strictly`(text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONValue.parse(text) }
    }

    @Test func `what follows a JSON text is an error`() {
        #expect(throws: JSONSyntaxError.self) { try JSONValue.parse("{} {}") }
    }

    @Test func `members are found in objects and nowhere else`() {
        let value: JSONValue = .object(["a": 1])
        #expect(value["a"] == 1)
        #expect(value["b"] == nil)
        #expect(JSONValue.array([1])["a"] == nil)
    }

    @Test func `text is what carriers write as a string or as a whole number`() {
        #expect(JSONValue.string("x").text == "x")
        #expect(JSONValue.integer(447_700_900_123).text == "447700900123")
        #expect(JSONValue.number(1.5).text == nil)
        #expect(JSONValue.null.text == nil)
    }

    @Test func `an error message shows a value on one line and shortened`() {
        #expect(JSONValue.string("a\nb").found == #""a\nb""#)
        let long = JSONValue.string(String(repeating: "x", count: 100)).found
        #expect(long.count == 60)
        #expect(long.hasSuffix("..."))
    }
}

@Suite struct NearestTests {
    let keys = ["level", "blockSize", "buffer", "name"]

    @Test func `slips of the finger are near`() {
        for typed in ["levle", "lvel", "LEVEL", "levell", "levol"] {
            #expect(typed.nearest(in: keys) == "level", "\(typed)")
        }
        #expect("blocksize".nearest(in: keys) == "blockSize")
        #expect("blokSise".nearest(in: keys) == "blockSize")
    }

    @Test func `something else is not near`() {
        for typed in ["volume", "x", "levels of detail", ""] { #expect(typed.nearest(in: keys) == nil, "\(typed)") }
        #expect("level".nearest(in: []) == nil)
    }

    @Test func `the nearest of several wins`() {
        #expect("nam".nearest(in: ["same", "name", "game"]) == "name")
    }
}
