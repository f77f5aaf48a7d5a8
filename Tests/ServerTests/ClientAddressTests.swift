import Testing

@testable import CallreelServer

@Suite struct ClientAddressTests {
    @Test(arguments: [
        ("10.0.0.1", "10.0.0.1", true), ("10.0.0.1", "10.0.0.2", false), ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.1.2.3/8", "10.9.9.9", true), ("192.168.4.0/22", "192.168.7.255", true), ("192.168.4.0/22", "192.168.8.0", false),
        ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false), ("::/0", "203.0.113.9", true), ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false), ("::1", "0:0:0:0:0:0:0:1", true), ("10.0.0.1", "::ffff:10.0.0.1", true), ("10.0.0.1", "unknown", false),
    ])
    func `an address lies in a network or does not`(network: String, address: String, lies: Bool) throws {
        #expect(try #require(AddressRange(network)).contains(address) == lies)
    }

    @Test(arguments: [
        "", "10.0.0", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/+8", "::1/129", "localhost", "10.0.0.1/8/8", "1.2.3.4:80", "::1%lo",
    ])
    func `what is no network is refused`(text: String) { #expect(AddressRange(text) == nil) }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("localhost", true), ("LOCALHOST", true), ("::ffff:127.0.0.1", true),
        ("0.0.0.0", false), ("::", false), ("", false), ("10.0.0.1", false), ("localhost.example.com", false), ("128.0.0.1", false),
    ])
    func `loopback is what only this machine reaches`(host: String, isLoopback: Bool) { #expect(AddressRange.isLoopback(host) == isLoopback) }

    @Test(
        arguments: [
            // Nobody is trusted: anybody may write what he likes.
            ([], "203.0.113.9", ["1.1.1.1"], "203.0.113.9"),
            // A trusted proxy says whom it was asked by, and what that one said itself is not believed.
            (["10.0.0.0/8"], "10.0.0.1", ["198.51.100.7"], "198.51.100.7"), (["10.0.0.0/8"], "10.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            // Through two proxies, on one line or two.
            (["10.0.0.0/8"], "10.0.0.1", ["1.1.1.1, 198.51.100.7,10.0.0.2"], "198.51.100.7"),
            (["10.0.0.0/8"], "10.0.0.1", ["1.1.1.1", "198.51.100.7", "10.0.0.2"], "198.51.100.7"),
            // From an address that is not trusted nothing is believed, however trusted those look that it names.
            (["10.0.0.0/8"], "203.0.113.9", ["10.0.0.1"], "203.0.113.9"),
            // Nonsense ends the list.
            (["10.0.0.0/8"], "10.0.0.1", ["198.51.100.7, evil"], "10.0.0.1"), (["10.0.0.0/8"], "10.0.0.1", ["0.0.0.0/0"], "10.0.0.1"),
            (["10.0.0.0/8"], "10.0.0.1", [], "10.0.0.1"), (["10.0.0.0/8"], "10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
            (["::1"], "::1", ["2001:db8::1"], "2001:db8::1"), (["0.0.0.0/0"], nil, ["1.1.1.1"], "unknown"),
        ] as [([String], String?, [String], String)])
    func `the client is who a trusted proxy says it is`(trusted: [String], peer: String?, forwarded: [String], client: String) {
        #expect(TrustedProxies(trusted).client(peer: peer, forwardedFor: forwarded) == client)
    }

    @Test(
        arguments: [
            ([], "10.0.0.1", false, ["https"], false), ([], "10.0.0.1", true, [], true), (["10.0.0.1"], "10.0.0.1", false, ["https"], true),
            (["10.0.0.1"], "10.0.0.1", false, ["https, http"], false), (["10.0.0.1"], "10.0.0.1", false, ["http", " HTTPS"], true),
            (["10.0.0.1"], "10.0.0.2", false, ["https"], false), (["10.0.0.1"], "10.0.0.1", false, [], false),
        ] as [([String], String, Bool, [String], Bool)])
    func `a request is secure when it came over TLS, or a trusted proxy says so`(
        trusted: [String], peer: String, tls: Bool, proto: [String], isSecure: Bool
    ) {
        #expect(TrustedProxies(trusted).isSecure(peer: peer, tls: tls, forwardedProto: proto) == isSecure)
    }
}
