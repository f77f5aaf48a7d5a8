import CallreelCarriers
package import CallreelCore
import CallreelNetwork
import CallreelWebSocket
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// The carrier's end of a call's WebSocket. It behaves like Vonage's servers: it sends the handshake message first,
/// then masked frames of 20 ms with digits between them.
/// A close frame or a broken connection ends it.
package final class CarrierConnection: Sendable {
    /// Time limits for the server, in seconds.
    struct Patience: Sendable {
        /// Limit for the answer to the upgrade request, TLS included.
        var answer: Int64 = 20
        /// Limit for the server to accept sent data.
        var write: Int64 = 60
    }

    /// Seconds of audio in one message.
    package static let frameDuration = 0.02

    /// The end of the connection, as the server caused it.
    package struct Ending: Sendable {
        /// The status code of the close frame; nil if the server sent none.
        package let code: UInt16?
        package let reason: String
    }

    private let channel: any Channel
    private let patience: Patience
    private let ended: EventLoopFuture<Ending>
    private let encoder = WebSocketFrameEncoder(role: .client)

    private init(channel: any Channel, patience: Patience, ended: EventLoopFuture<Ending>) {
        self.channel = channel
        self.patience = patience
        self.ended = ended
    }

    /// Connects and sends the handshake message.
    package static func open(
        _ instructions: CallInstructions, as identity: CarrierIdentity = CarrierIdentity()
    ) async throws(CallerError) -> CarrierConnection {
        try await open(instructions, as: identity, patience: Patience())
    }

    /// Connects and sends the handshake message, with other time limits.
    static func open(
        _ instructions: CallInstructions, as identity: CarrierIdentity, patience: Patience
    ) async throws(CallerError) -> CarrierConnection {
        let connection = try await connect(
            to: instructions.url, authorization: instructions.authorization, as: identity, patience: patience)
        var message = instructions.headers
        message["event"] = "websocket:connected"
        message["content-type"] = .string("\(VonageDialect.mediaType);rate=\(instructions.format.sampleRate)")
        try await connection.send(text: .object(message))
        return connection
    }

    /// Sends audio in messages of 20 ms; the last may be shorter.
    package func send(audio samples: [Int16], format: AudioFormat) async throws(CallerError) {
        let size = format.frames(seconds: Self.frameDuration) * format.channels
        var frames: [UInt8] = []
        for start in stride(from: 0, to: samples.count, by: size) {
            let message = samples[start..<min(start + size, samples.count)]
            var bytes: [UInt8] = []
            bytes.reserveCapacity(message.count * 2)
            for sample in message {
                bytes.append(UInt8(truncatingIfNeeded: sample))
                bytes.append(UInt8(truncatingIfNeeded: sample >> 8))
            }
            encoder.append(.binary, bytes, to: &frames)
        }
        try await write(frames)
    }

    /// Sends a digit.
    package func send(digit: Character) async throws(CallerError) {
        try await send(text: .object(["event": "websocket:dtmf", "digit": .string(String(digit)), "duration": 260]))
    }

    /// Ends the call with the closing handshake, and waits up to 30 seconds for the answer.
    /// - Parameter code: the status code of the close frame (RFC 6455, section 7.4).
    package func hangUp(code: UInt16 = 1000) async throws(CallerError) -> Ending {
        try await write(encoder.closeFrame(WebSocketError.Code(rawValue: code)))
        let deadline = channel.eventLoop.scheduleTask(in: .seconds(30)) { [channel] in channel.close(promise: nil) }
        let ending = await ending()
        deadline.cancel()
        channel.close(promise: nil)
        return ending
    }

    /// Closes the connection without a close frame.
    package func drop() async {
        try? await channel.close()
    }

    /// Stops reading, and so answers no pings, as if the network were cut. The connection stays open.
    package func fallSilent() async {
        try? await channel.setOption(.autoRead, value: false).get()
    }

    /// Waits until the server ends the connection.
    package func ending() async -> Ending {
        (try? await ended.get()) ?? Ending(code: nil, reason: "the connection was lost")
    }

    private func send(text: JSONValue) async throws(CallerError) {
        try await write(encoder.frame(.text, Array(text.json().utf8)))
    }

    private func write(_ frames: [UInt8]) async throws(CallerError) {
        let deadline = Deadline(.seconds(patience.write), channel)
        do {
            try await channel.writeAndFlush(channel.allocator.buffer(bytes: frames))
            deadline.cancel()
        } catch {
            if deadline.cancel() { throw CallerError("the server took no audio for \(patience.write) seconds") }
            let ending = await ending()
            let code = ending.code.map { " with code \($0)" } ?? ""
            throw CallerError("the server ended the call\(code)\(ending.reason.isEmpty ? "" : ": \(ending.reason)")")
        }
    }

    /// Closes a channel after a time.
    private final class Deadline: Sendable {
        private let hasPassed = Atomic(false)
        private let task = Mutex<Scheduled<Void>?>(nil)

        init(_ time: TimeAmount, _ channel: any Channel) {
            let scheduled = channel.eventLoop.scheduleTask(in: time) { [self] in
                hasPassed.store(true, ordering: .relaxed)
                channel.close(promise: nil)
            }
            task.withLock { $0 = scheduled }
        }

        /// The time has passed.
        var isOver: Bool { hasPassed.load(ordering: .relaxed) }

        /// Cancels the closing. Returns true if the time had already passed.
        @discardableResult func cancel() -> Bool {
            task.withLock { $0.take() }?.cancel()
            return isOver
        }
    }

    // MARK: - Connecting

    /// The result of the upgrade request.
    private enum Outcome: Sendable {
        case open(CarrierConnection)
        case refused(EventLoopFuture<String>)
    }

    private static func connect(
        to url: String, authorization: CallInstructions.Authorization, as identity: CarrierIdentity, patience: Patience
    ) async throws(CallerError) -> CarrierConnection {
        // The query may hold the token that admits the call.
        let shown = url.prefix { $0 != "?" }
        if let mistake = URLComponents(string: url)?.portMistake {
            throw CallerError("cannot call \(shown): \(mistake)")
        }
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
            ["ws", "wss"].contains(scheme), let name = parts.host,
            !name.isEmpty
        else {
            throw CallerError("\(shown) is not a ws or wss URL")
        }
        // An IPv6 address stands in brackets in a URL and in the `Host` header, and without them everywhere else.
        let host = PublicURL.bare(name), shownHost = host.contains(":") ? "[\(host)]" : host
        let port = parts.port ?? (scheme == "wss" ? 443 : 80)
        let path =
            (parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath)
            + (parts.percentEncodedQuery.map { "?" + $0 } ?? "")
        var headers: HTTPHeaders = ["host": parts.port.map { "\(shownHost):\($0)" } ?? shownHost]
        if let value = try await identity.authorization(for: authorization) {
            headers.add(name: "authorization", value: value)
        }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
        let deadline = Mutex<Deadline?>(nil)
        do {
            let tls = scheme == "wss" ? try NIOSSLContext(configuration: try identity.tlsConfiguration()) : nil
            // TLS sends a server name only for a host name, not for an address (RFC 6066, section 3).
            let name = AddressRange.isAddress(host) ? nil : host
            let upgrade = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connectTimeout(.seconds(10))
                .connect(host: ListenAddress.reaching(host), port: port) { channel in
                    deadline.withLock { $0 = Deadline(.seconds(patience.answer), channel) }
                    return channel.eventLoop.makeCompletedFuture {
                        if let tls {
                            try channel.pipeline.syncOperations.addHandler(
                                NIOSSLClientHandler(context: tls, serverHostname: name))
                        }
                        return try configure(channel, head, patience)
                    }
                }
            defer { deadline.withLock { _ = $0?.cancel() } }
            switch try await upgrade.get() {
            case .open(let connection): return connection
            case .refused(let answer): throw CallerError("\(shown) answered \(try await answer.get())")
            }
        } catch let error as CallerError {
            throw error
        } catch {
            if deadline.withLock({ $0?.isOver ?? false }) {
                throw CallerError("\(shown) has not answered for \(patience.answer) seconds")
            }
            throw CallerError("cannot reach \(shown): \(networkReason(error))")
        }
    }

    /// Builds the pipeline for the upgrade request.
    private static func configure(_ channel: any Channel, _ head: HTTPRequestHead, _ patience: Patience) throws
        -> EventLoopFuture<Outcome>
    {
        var configuration = NIOUpgradableHTTPClientPipelineConfiguration(
            upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration<Outcome>(
                upgradeRequestHead: head, upgraders: [Upgrader(patience: patience)],
                notUpgradingCompletionHandler: { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let answer = channel.eventLoop.makePromise(of: String.self)
                        try channel.pipeline.syncOperations.addHandler(RefusalReader(answer: answer))
                        return .refused(answer.futureResult)
                    }
                }))
        // The server's first frames may come in one read with its answer.
        configuration.leftOverBytesStrategy = .forwardBytes
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: configuration)
    }

    /// The client's side of the opening handshake (RFC 6455, section 4.1).
    private struct Upgrader: NIOTypedHTTPClientProtocolUpgrader {
        let supportedProtocol = "websocket"
        let requiredUpgradeHeaders: [String] = []
        let patience: Patience
        private let key = WebSocketHandshake.makeKey()

        func addCustom(upgradeRequestHeaders: inout HTTPHeaders) {
            upgradeRequestHeaders.add(name: "sec-websocket-key", value: key)
            upgradeRequestHeaders.add(name: "sec-websocket-version", value: "13")
        }

        func shouldAllowUpgrade(upgradeResponse: HTTPResponseHead) -> Bool {
            upgradeResponse.headers["sec-websocket-accept"] == [WebSocketHandshake.acceptance(of: key)]
        }

        func upgrade(channel: any Channel, upgradeResponse: HTTPResponseHead) -> EventLoopFuture<Outcome> {
            channel.eventLoop.makeCompletedFuture {
                let ended = channel.eventLoop.makePromise(of: Ending.self)
                try channel.pipeline.syncOperations.addHandler(CarrierHandler(ended: ended))
                return .open(CarrierConnection(channel: channel, patience: patience, ended: ended.futureResult))
            }
        }
    }
}
