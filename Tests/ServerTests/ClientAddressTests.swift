import Testing

@testable import CallreelNetwork
@testable import CallreelServer

@Suite struct ClientAddressTests {
    @Test(arguments: [
        ("10.0.0.1", "10.0.0.1", true), ("10.0.0.1", "10.0.0.2", false), ("10.0.0.0/8", "10.255.1.2", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.1.2.3/8", "10.9.9.9", true), ("192.168.4.0/22", "192.168.7.255", true),
        ("192.168.4.0/22", "192.168.8.0", false),
        ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false), ("::/0", "203.0.113.9", true),
        ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false), ("::1", "0:0:0:0:0:0:0:1", true), ("10.0.0.1", "::ffff:10.0.0.1", true),
        ("10.0.0.1", "unknown", false),
    ])
    func `an address lies in a network or does not`(network: String, address: String, lies: Bool) throws {
        #expect(try #require(AddressRange(network)).contains(address) == lies)
    }

    @Test(arguments: [
        "", "10.0.0", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/+8", "::1/129", "localhost", "10.0.0.1/8/8",
        "1.2.3.4:80", "::1%lo",
    ])
    func `what is no network is refused`(text: String) { #expect(AddressRange(text) == nil) }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("localhost", true), ("LOCALHOST", true),
        ("::ffff:127.0.0.1", true),
        ("[::1]", true), ("localhost.", true),
        ("0.0.0.0", false), ("::", false), ("", false), ("10.0.0.1", false), ("localhost.example.com", false),
        ("128.0.0.1", false),
    ])
    func `loopback is what only this machine reaches`(host: String, isLoopback: Bool) {
        #expect(AddressRange.isLoopback(host) == isLoopback)
    }

    @Test(
        arguments: [
            // No proxy is trusted, because any client may send this header.
            ([], "203.0.113.9", ["1.1.1.1"], "203.0.113.9"),
            // A trusted proxy names its client. That client's own header is not believed.
            (["10.0.0.0/8"], "10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
            (["10.0.0.0/8"], "10.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            // Through two proxies, on one line or two.
            (["10.0.0.0/8"], "10.0.0.1", ["1.1.1.1, 198.51.100.7,10.0.0.2"], "198.51.100.7"),
            (["10.0.0.0/8"], "10.0.0.1", ["1.1.1.1", "198.51.100.7", "10.0.0.2"], "198.51.100.7"),
            // From an untrusted address no header is believed, even if it names trusted addresses.
            (["10.0.0.0/8"], "203.0.113.9", ["10.0.0.1"], "203.0.113.9"),
            // Nonsense ends the list.
            (["10.0.0.0/8"], "10.0.0.1", ["198.51.100.7, evil"], "10.0.0.1"),
            (["10.0.0.0/8"], "10.0.0.1", ["0.0.0.0/0"], "10.0.0.1"),
            (["10.0.0.0/8"], "10.0.0.1", [], "10.0.0.1"), (["10.0.0.0/8"], "10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
            (["::1"], "::1", ["2001:db8::1"], "2001:db8::1"), (["0.0.0.0/0"], nil, ["1.1.1.1"], "unknown"),
        ] as [([String], String?, [String], String)])
    func `the client is who a trusted proxy says it is`(
        trusted: [String], peer: String?, forwarded: [String], client: String
    ) {
        #expect(TrustedProxies(trusted).client(peer: peer) { $0 == "X-Forwarded-For" ? forwarded : [] } == client)
    }

    @Test(
        arguments: [
            ([], "10.0.0.1", false, ["https"], false), ([], "10.0.0.1", true, [], true),
            (["10.0.0.1"], "10.0.0.1", false, ["https"], true),
            (["10.0.0.1"], "10.0.0.1", false, ["https, http"], false),
            (["10.0.0.1"], "10.0.0.1", false, ["http", " HTTPS"], true),
            (["10.0.0.1"], "10.0.0.2", false, ["https"], false), (["10.0.0.1"], "10.0.0.1", false, [], false),
        ] as [([String], String, Bool, [String], Bool)])
    func `a request is secure when it came over TLS, or a trusted proxy says so`(
        trusted: [String], peer: String, tls: Bool, proto: [String], isSecure: Bool
    ) {
        #expect(
            TrustedProxies(trusted).isSecure(peer: peer, tls: tls) { $0 == "X-Forwarded-Proto" ? proto : [] }
                == isSecure)
    }

    // MARK: - Other notations of proxies and gateways

    private static let proxy = TrustedProxies(["10.0.0.0/8"])

    @Test(arguments: [
        ("203.0.113.7:51234", "203.0.113.7"), ("[2001:db8::7]:51234", "2001:db8::7"), ("[2001:db8::7]", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"), (" 203.0.113.7 ", "203.0.113.7"),
        ("1.1.1.1, [2001:db8::7]:1 , 10.0.0.2:80", "2001:db8::7"),
        ("[::ffff:203.0.113.7]:9", "::ffff:203.0.113.7"), ("fe80::1%eth0", "fe80::1"),
        // Without an address, the proxy's own counts.
        ("unknown", "10.0.0.1"), ("[2001:db8::7", "10.0.0.1"), ("[203.0.113.7]", "10.0.0.1"),
        ("203.0.113.7:", "10.0.0.1"), (":80", "10.0.0.1"),
        ("[2001:db8::7]80", "10.0.0.1"), ("203.0.113.7:80:90", "10.0.0.1"), ("", "10.0.0.1"),
    ])
    func `an address may have a port and brackets`(value: String, client: String) {
        #expect(Self.proxy.client(peer: "10.0.0.1") { $0 == "X-Forwarded-For" ? [value] : [] } == client)
        #expect(TrustedProxies([]).client(peer: "10.0.0.1") { _ in [value] } == "10.0.0.1")
    }

    @Test(arguments: [
        (["for=203.0.113.7"], "203.0.113.7"), (["For=\"[2001:db8::7]:4711\""], "2001:db8::7"),
        (["for=1.1.1.1, for=203.0.113.7;proto=http;by=10.0.0.1"], "203.0.113.7"),
        (["for=1.1.1.1", "proto=https; FOR=\"203.0.113.7:80\" ;host=x"], "203.0.113.7"),
        (["for=203.0.113.7, for=10.0.0.2"], "203.0.113.7"),
        // A comma, a semicolon or a quote inside quotes ends nothing.
        (["for=203.0.113.7;ext=\"a, for=6.6.6.6; \\\"; for=6.6.6.6\""], "203.0.113.7"),
        (["for=_hidden"], "10.0.0.1"), (["for=unknown"], "10.0.0.1"), (["by=203.0.113.7"], "10.0.0.1"),
        ([""], "10.0.0.1"), (["for="], "10.0.0.1"),
        (["for=\"203.0.113.7"], "10.0.0.1"),
    ])
    func `a standard header is understood, too`(values: [String], client: String) {
        #expect(Self.proxy.client(peer: "10.0.0.1") { $0 == "Forwarded" ? values : [] } == client)
    }

    @Test func `of several headers the one that proxies append to counts first`() {
        let headers = [
            "X-Forwarded-For": ["203.0.113.1"], "Forwarded": ["for=203.0.113.2;proto=https;host=calls.example.com"],
            "X-Real-IP": ["203.0.113.3"],
        ]
        #expect(Self.proxy.client(peer: "10.0.0.1") { headers[$0] ?? [] } == "203.0.113.1")
        #expect(
            Self.proxy.client(peer: "10.0.0.1") { $0 == "X-Forwarded-For" ? [] : headers[$0] ?? [] } == "203.0.113.2")
        #expect(Self.proxy.client(peer: "10.0.0.1") { $0 == "X-Real-IP" ? ["203.0.113.3"] : [] } == "203.0.113.3")
        #expect(Self.proxy.client(peer: "192.0.2.1") { headers[$0] ?? [] } == "192.0.2.1")
        #expect(Self.proxy.isSecure(peer: "10.0.0.1", tls: false) { headers[$0] ?? [] })
        #expect(!Self.proxy.isSecure(peer: "192.0.2.1", tls: false) { headers[$0] ?? [] })
        #expect(Self.proxy.host(peer: "10.0.0.1") { headers[$0] ?? [] } == "calls.example.com")
        #expect(
            Self.proxy.host(peer: "10.0.0.1") { $0 == "X-Forwarded-Host" ? ["a.example, b.example:8443"] : [] }
                == "b.example:8443")
        #expect(Self.proxy.host(peer: "192.0.2.1") { headers[$0] ?? [] } == nil)
    }
}
