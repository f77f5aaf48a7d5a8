import CallreelCore
import Foundation
import NIOCore
import NIOSSL
import Synchronization

/// The server's certificate and key, from the last time that Callreel read valid ones from their files.
final class TLSCertificates: Sendable {
    private let configuration: Configuration.TLS
    private let current: Mutex<NIOSSLContext>

    /// Reads both files. The error names the invalid file.
    init(_ configuration: Configuration.TLS) throws(ConfigurationProblem) {
        self.configuration = configuration
        current = Mutex(try Self.context(configuration))
    }

    /// Reads both files again, for new connections. If either file is invalid, it throws and the previous certificate
    /// stays.
    func reload() throws(ConfigurationProblem) {
        let context = try Self.context(configuration)
        current.withLock { $0 = context }
    }

    /// Returns the first handler of a new connection.
    func handler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: current.withLock { $0 }) }

    private static func context(_ files: Configuration.TLS) throws(ConfigurationProblem) -> NIOSSLContext {
        let chain: [NIOSSLCertificate] = try read(files.certificate, "certificate", "a certificate") {
            try NIOSSLCertificate.fromPEMBytes($0)
        }
        let key: NIOSSLPrivateKey = try read(files.key, "key", "a private key without a passphrase") {
            try NIOSSLPrivateKey(bytes: $0, format: .pem)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        // TLS 1.0 and 1.1 are deprecated (RFC 8996).
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            let reason =
                "\(files.key.debugDescription) is not the key of the certificate in "
                + files.certificate.debugDescription
            throw .init(at: path("key"), reason)
        }
    }

    private static func path(_ key: String) -> ConfigurationPath {
        ConfigurationPath.root.key("listen").key("tls").key(key)
    }

    private static func read<Value>(
        _ file: String, _ key: String, _ what: String, _ parse: ([UInt8]) throws -> Value
    ) throws(ConfigurationProblem) -> Value {
        let bytes: [UInt8]
        do {
            bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
        } catch {
            let isMissing = (error as? CocoaError)?.code == .fileReadNoSuchFile
            throw .init(
                at: path(key), "the file \(file.debugDescription) \(isMissing ? "does not exist" : "cannot be read")")
        }
        do {
            return try parse(bytes)
        } catch {
            throw .init(at: path(key), "the file \(file.debugDescription) holds no PEM text with \(what)")
        }
    }
}
