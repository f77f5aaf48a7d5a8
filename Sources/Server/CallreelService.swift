import CallreelArchive
import CallreelCore
package import CallreelEngine
package import CallreelNetwork
import Foundation
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// The server: HTTP and calls on one port, from a checked configuration. All parts are put together here.
package struct CallreelService: Service {
    private let configuration: Configuration
    private let recorder: Recorder
    private let index = RecordingIndex()
    private let address: BoundAddress
    private let logger: Logger
    private let onRunning: @Sendable (Address, Readiness) async -> Void
    private let hurrySignal = HurrySignal()
    let metrics = PrometheusMetrics(
        descriptions: RecorderMetrics.descriptions.merging(Admission.metricDescriptions) { one, _ in one }
            .merging(ProgramMetrics.descriptions) { one, _ in one })
    private let admission: Admission
    let door: Door
    private let echoPath: String?

    /// The address of a running server.
    package struct Address: Sendable {
        package let host: String
        /// The actual port, even if the configuration leaves the choice to the system.
        package let port: Int
        /// The address for carriers and people.
        package let publicURL: PublicURL
        /// The server uses https and wss.
        package let isSecure: Bool
        /// No public URL is configured.
        package let isUnnamed: Bool
        /// The path to which test calls are sent: that of the first answer webhook. Nil if there is none.
        let callPath: String?
        /// The first answer webhook's address; nil if there is none.
        var answerURL: String? { callPath.map { "\(publicURL)\($0)" } }

        /// The page's address on this machine.
        package var page: String { PublicURL(host: host, port: port, isSecure: isSecure).description + "/" }

        /// The command that places a test call, as a shell takes it. Nil if no carrier has an answer webhook.
        /// - Parameter program: the program's name or path.
        package func testCommand(_ program: String) -> String? {
            guard let answerURL else { return nil }
            func word(_ text: String) -> String {
                let isPlain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._-+:@%=".contains($0)) }
                return isPlain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
            }
            // A certificate seldom names the address on which a server listens.
            let trust = isSecure && isUnnamed ? " --insecure" : ""
            return "\(word(program)) call --to \(word(answerURL))\(trust)"
        }
    }

    /// Makes a server. Reads secrets and certificates; opens nothing else before ``run()``.
    /// - Parameters:
    ///   - lostLogLines: returns the number of dropped log lines, for the metrics.
    ///   - onRunning: called once, when the server accepts connections, with its readiness for calls at that moment.
    package init(
        configuration: Configuration, logger: Logger, lostLogLines: @escaping @Sendable () -> Int = { 0 },
        onRunning: @escaping @Sendable (Address, Readiness) async -> Void = { _, _ in }
    ) throws {
        try self.init(
            configuration: configuration, logger: logger, lostLogLines: lostLogLines, echoPath: nil,
            onRunning: onRunning)
    }

    /// Makes a server for tests. `echoPath` is a path that echoes messages with the socket code of calls.
    /// No public initializer sets it.
    init(
        configuration: Configuration, logger: Logger, lostLogLines: @escaping @Sendable () -> Int = { 0 },
        echoPath: String?,
        onRunning: @escaping @Sendable (Address, Readiness) async -> Void
    ) throws {
        self.echoPath = echoPath
        self.configuration = configuration
        self.logger = logger
        self.onRunning = onRunning
        let address = BoundAddress(configuration)
        self.address = address
        door = try Door(configuration) { address.publicURL }
        address.setCallPath(door.callPath)
        var settings = configuration.recorder
        for plan in configuration.deliveries { settings.deliveries.append(try plan.make(logger)) }
        let recorder = Recorder(
            store: try configuration.recordings.store(), settings: settings,
            registry: configuration.registry, catalogue: index, metrics: metrics, logger: logger)
        self.recorder = recorder
        metrics.observe("callreel_log_lines_dropped_total", lostLogLines)
        metrics.state("callreel_build_info", ["version": CallreelVersion.current])
        admission = Admission(
            refusals: Refusals(reasons: Admission.reasons, metrics: metrics, logger: logger),
            expected: ExpectedCalls(), calls: configuration.limits.calls
        ) { recorder.readiness.obstacles }
    }

    /// Ends running calls at once, without the time that a graceful shutdown gives them.
    /// Their recordings are still finished.
    package func hurry() { hurrySignal.give() }

    /// Reads the certificate and key again, for new connections. Running calls continue.
    /// If the new files are invalid, the old certificate stays and the log tells why.
    package func reload() {
        guard let certificates = door.certificates else {
            return logger.notice("nothing to reload: listen.tls is null")
        }
        do throws(ConfigurationProblem) {
            try certificates.reload()
            logger.notice("certificate reloaded")
        } catch {
            logger.error("certificate not reloaded: keeping the old one", metadata: ["reason": "\(error)"])
        }
    }

    /// Serves until a graceful shutdown. The server then takes no further calls.
    /// Running calls have `drainTimeout` to end, and all other requests are still answered.
    /// The function returns after every recording is finished.
    package func run() async throws {
        do {
            try await recorder.prepare()
        } catch {
            throw ServiceError(
                "cannot record in \(configuration.recordings.directory.debugDescription): \(error)")
        }
        if let shortage = Descriptors.shortage(configuration.limits) {
            logger.warning("limit on open files is too low", metadata: ["reason": "\(shortage)"])
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            // The heartbeat must outlive the calls, so it is cancelled here, after the last call.
            group.addTask { [recorder] in await recorder.run() }
            defer { group.cancelAll() }
            do {
                // The group ends its services from the last to the first.
                let drain = Drain(
                    recorder: recorder, admission: admission, timeout: configuration.listen.drainTimeout,
                    hurry: hurrySignal)
                var quiet = logger
                quiet.logLevel = max(logger.logLevel, .warning)
                let host = try await NIOThreadPool.singleton.runIfActive { [listen = configuration.listen] in
                    ListenAddress.resolve(listen.host)
                }
                let application = application(host: host)
                try await ServiceGroup(configuration: .init(services: [application, drain], logger: quiet)).run()
            } catch  where error is IOError || error is NIOConnectionError || error is SocketAddressError {
                throw ServiceError(
                    "cannot listen on \(configuration.listen.host) port \(configuration.listen.port): "
                        + networkReason(error)
                )
            }
        }
    }

    /// The program's name if a shell finds it in `PATH`, otherwise its path.
    private static var program: String {
        let path = CommandLine.arguments.first ?? "callreel"
        guard path.contains("/") else { return path }
        let absolute = RecordingStore.absolute(path, from: FileManager.default.currentDirectoryPath)
        let directories = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
        let isFound = directories.contains { $0 == absolute.parentPath }
        return isFound ? absolute.lastPathComponent : absolute
    }

    private func application(host: String) -> some ApplicationProtocol {
        let address = address
        let router = Router(context: RequestScope.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: door.securityHeaders)
        let refusals = admission.refusals
        router.add(
            middleware: HostCheck(hosts: door.hosts, proxies: door.proxies, carrierPaths: Set(door.carrierPaths)) {
                [door] refusal, request, scope in
                refusals.record(
                    refusal.kind.rawValue, as: "request refused",
                    ["reason": "\(refusal.reason)", "client.address": "\(door.proxies.client(of: request, in: scope))"])
            })
        if let control = door.accessControl(refusals: admission.refusals) { router.add(middleware: control) }
        let files = RecordingFiles(recorder, index)
        files.add(to: router)
        let tunnels = TunnelHint(publicURL: { address.publicURL }, logger: logger)
        let calls = CallDesk(recorder: recorder, admission: admission, logger: logger)
        for entry in door.carriers {
            CarrierRoutes(
                entry: entry, publicURL: { address.publicURL }, tunnels: tunnels, door: door,
                bodyLimit: configuration.limits.bodyBytes, calls: calls
            )
            .add(to: router)
        }
        HealthRoutes(recorder: recorder, admission: admission, metrics: metrics) { [door] in door.mayKnow($0) }.add(
            to: router)
        CallsAPI(
            recorder: recorder, index: index, admission: admission, files: files,
            access: .init(
                answerURL: { address.current.answerURL }, testCommand: { address.current.testCommand(Self.program) },
                tunnels: tunnels)
        )
        .add(to: router)
        PageRoutes.add(to: router)
        let guards = Dictionary(grouping: door.carriers, by: \.plan.path).mapValues(CallGuard.init)
        for path in guards.keys { addReminder(at: path, to: router) }
        let target = RequestTarget(publicURL: configuration.publicURL, carrierPaths: door.carrierPaths)
        let upgrade = WebSocketUpgrade(guards: guards, echoPath: echoPath, target: target, hosts: door.hosts)
        let limits = ConnectionLimits(configuration)
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return Application(
            responder: CanonicalRequests(target: target, next: router.buildResponder()),
            server: HTTPServerBuilder {
                [door, hurrySignal] responder in
                CallreelChannel(
                    responder: responder, calls: calls, upgrade: upgrade, limits: limits, hurry: hurrySignal,
                    door: door)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: configuration.listen.port), serverName: "callreel",
                // Simultaneous connections wait in the system's queue.
                // Beyond the queue, clients retry only after a second.
                backlog: 4096),
            onServerRunning: { [onRunning, admission, recorder] channel in
                await AcceptGuard.add(to: channel) { admission.refusals.record($0, client: nil) }
                address.bind(port: channel.localAddress?.port)
                await onRunning(address.current, admission.readiness(recorder.readiness))
            },
            logger: quiet)
    }
}

extension CallreelService {
    /// Adds the answer to a request at a call's path that asks for no WebSocket.
    private func addReminder(at path: String, to router: Router<RequestScope>) {
        router.get(RouterPath(path)) { [admission, door] request, scope -> Response in
            // Often this is a call behind a proxy that drops the headers of the upgrade.
            admission.refusals.record(
                RefusalReason.handshake.rawValue,
                [
                    "status": "426", "client.address": "\(door.proxies.client(of: request, in: scope))",
                    "reason": "no \"Upgrade: websocket\"; a proxy in between must pass on Upgrade and Connection",
                ])
            throw HTTPError(
                .upgradeRequired, headers: [.upgrade: "websocket"], message: "\(path) takes WebSocket connections only")
        }
    }
}

/// The server's address. Its port is known once the server listens.
private final class BoundAddress: Sendable {
    private let host: String
    private let configured: PublicURL?
    private let isSecure: Bool
    private let port: Mutex<Int>
    /// The path to which test calls are sent.
    private let callPath = Mutex<String?>(nil)

    init(_ configuration: Configuration) {
        host = configuration.listen.host
        configured = configuration.publicURL
        isSecure = configuration.listen.tls != nil
        port = Mutex(configuration.listen.port)
    }

    func setCallPath(_ path: String?) { callPath.withLock { $0 = path } }

    func bind(port: Int?) {
        if let port { self.port.withLock { $0 = port } }
    }

    var publicURL: PublicURL { current.publicURL }

    var current: CallreelService.Address {
        let port = port.withLock { $0 }
        let own = PublicURL(host: host, port: port, isSecure: isSecure)
        return .init(
            host: host, port: port, publicURL: configured ?? own, isSecure: isSecure, isUnnamed: configured == nil,
            callPath: callPath.withLock { $0 })
    }
}

/// The reason why the server could not start, in words for its operator.
package struct ServiceError: Error, CustomStringConvertible, Sendable {
    package let description: String

    init(_ description: String) { self.description = description }
}
