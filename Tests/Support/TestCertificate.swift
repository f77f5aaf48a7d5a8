/// A certificate for 127.0.0.1 and its key, made by openssl.
public struct TestCertificate: Sendable {
    /// The PEM file with the certificate.
    public let certificate: String
    /// The PEM file with the private key.
    public let key: String

    /// Makes a pair in a directory, and replaces an existing one.
    public static func make(_ name: String = "server", in directory: TemporaryDirectory) async throws -> TestCertificate
    {
        let pair = TestCertificate(certificate: "\(directory.path)/\(name).pem", key: "\(directory.path)/\(name).key")
        try await Program("openssl").output([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=\(name)", "-addext",
            "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", pair.key, "-out", pair.certificate,
        ])
        return pair
    }

    /// Further keys of `listen`.
    public var listen: String { #", "tls": {"certificate": "\#(certificate)", "key": "\#(key)"}"# }
}
