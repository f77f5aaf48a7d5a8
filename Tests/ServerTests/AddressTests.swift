import CallreelCore
import Foundation
import Testing

@testable import CallreelNetwork
@testable import CallreelServer

@Suite struct AddressTests {
    @Test(arguments: [
        ("HTTPS://Calls.Example.COM", "https://calls.example.com"),
        ("https://calls.example.com///", "https://calls.example.com"),
        ("https://calls.example.com//phone//in/", "https://calls.example.com/phone/in"),
        ("http://calls.example.com:80", "http://calls.example.com"),
        ("https://calls.example.com:443/", "https://calls.example.com"),
        ("https://calls.example.com:8443", "https://calls.example.com:8443"),
        ("http://[2001:DB8::7]:9292", "http://[2001:db8::7]:9292"),
        ("https://calls.example.com.", "https://calls.example.com"),
    ])
    func `a public URL has one spelling`(text: String, spelling: String) throws {
        let url = try #require(PublicURL(text))
        #expect(url.description == spelling)
        #expect(url.webSocket("/cable") == "ws" + spelling.dropFirst("http".count) + "/cable")
        #expect(url.isSecure == spelling.hasPrefix("https"))
    }

    @Test(arguments: [
        "", "calls.example.com", "ftp://calls.example.com", "https://", "https:///phone",
        "https://calls.example.com/?a=b",
        "https://calls.example.com/#a",
        "https://anna:secret@calls.example.com", "https://calls.example.com/../x", "https://calls.example.com/./x",
        "https://calls.example.com:0",
        "https://calls.example.com:65536",
    ])
    func `what is no public URL is refused`(text: String) { #expect(PublicURL(text) == nil) }

    @Test(arguments: [
        ("0.0.0.0", false, "http://127.0.0.1:9292"), ("::", false, "http://[::1]:9292"),
        ("::0", true, "https://[::1]:9292"),
        ("0:0:0:0:0:0:0:0", false, "http://[::1]:9292"), ("[::]", false, "http://[::1]:9292"),
        ("::ffff:0.0.0.0", false, "http://127.0.0.1:9292"),
        ("::1", false, "http://[::1]:9292"), ("192.0.2.7", true, "https://192.0.2.7:9292"),
        ("localhost", false, "http://localhost:9292"),
    ])
    func `a suggested address fits the one that is listened on`(host: String, isSecure: Bool, url: String) {
        #expect(PublicURL(host: host, port: 9292, isSecure: isSecure).description == url)
    }

    @Test func `the address of a name is one that this machine has`() {
        #expect(["127.0.0.1", "::1"].contains(ListenAddress.resolve("localhost")))
        for address in ["127.0.0.1", "0.0.0.0", "::", "::1", "192.0.2.7"] {
            #expect(ListenAddress.resolve(address) == address)
        }
        #expect(ListenAddress.resolve("[::1]") == "::1")
        #expect(ListenAddress.resolve("no-such-name.invalid") == "no-such-name.invalid")
    }

    // MARK: - Targets of requests

    @Test(arguments: [
        ("/", "/"), ("//", "/"), ("/webhooks/answer/", "/webhooks/answer"),
        ("//webhooks///answer//?a=/b/", "/webhooks/answer?a=/b/"),
        ("/webhooks//answer", "/webhooks/answer"),
        ("/api/calls?x=http://y//z/", "/api/calls?x=http://y//z/"), ("*", "*"),
        ("/webhooks/../api/calls", "/webhooks/../api/calls"),
    ])
    func `a target is routed in one form`(target: String, form: String) {
        #expect(RequestTarget(publicURL: nil, carrierPaths: ["/cable", "/webhooks/answer"]).canonical(target) == form)
    }

    @Test(arguments: [
        ("/phone/webhooks/answer?uuid=u", "/webhooks/answer?uuid=u"), ("/webhooks/answer", "/webhooks/answer"),
        ("/phone/", "/"), ("/phone?a", "/?a"),
        ("/phone/cable", "/cable"), ("/phonebook/api/calls", "/phonebook/api/calls"),
        ("/phoneapi/calls", "/phoneapi/calls"), ("/phone/phone/api/calls", "/phone/phone/api/calls"),
        ("//phone//api/calls/", "/api/calls"), ("/phone/else", "/phone/else"),
    ])
    func `the path of the public URL may stand in front or not`(target: String, form: String) {
        #expect(
            RequestTarget(
                publicURL: PublicURL("https://calls.example.com/phone/"), carrierPaths: ["/cable", "/webhooks/answer"]
            ).canonical(
                target) == form)
    }

    @Test(
        arguments: [
            ("http://calls.example.com/cable?a=b", "/cable?a=b", "calls.example.com"),
            ("HTTP://[::1]:9292/cable", "/cable", "[::1]:9292"),
            ("https://calls.example.com", "/", "calls.example.com"), ("http://x?a=b", "/?a=b", "x"),
            ("http://127.0.0.1@evil.example/", "/", "evil.example"),
            ("/http://x/", "/http://x/", nil), ("*", "*", nil), ("calls.example.com:443", "calls.example.com:443", nil),
        ] as [(String, String, String?)])
    func `an absolute target becomes its path and its host`(target: String, path: String, host: String?) {
        let origin = RequestTarget.origin(of: target)
        #expect(origin.target == path && origin.host == host)
    }
}
