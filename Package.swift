// swift-tools-version: 6.2

import PackageDescription

/// Compiler settings shared by all of Callreel's targets.
let settings: [SwiftSetting] = [
    // Requires `any` where a call goes through an existential, so that none is hidden on the audio path.
    .enableUpcomingFeature("ExistentialAny"),
    // Makes a member visible only where its module is imported, so that import directions stay honest.
    .enableUpcomingFeature("MemberImportVisibility"),
    // Keeps an import out of the public interface unless it is a `public import`.
    .enableUpcomingFeature("InternalImportsByDefault"),
    // Runs an async function where its caller runs, without a hidden hop off a sink's own thread.
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    // Every use of an unsafe construct is marked `unsafe`, so that it can be found.
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// Modules under fuzzing. Tests run them over known input. `scripts/fuzz` alone builds a program linked with libFuzzer.
let fuzzed: [Target.Dependency] = [
    "CallreelCore", "CallreelCarriers", "CallreelEngine", "CallreelServer", "CallreelSinks", "CallreelWebSocket",
]
let fuzzing: Target =
    Context.environment["CALLREEL_FUZZ"] == nil
    ? .testTarget(
        name: "FuzzTests", dependencies: fuzzed + ["TestSupport"], path: "Tests/FuzzTests", exclude: ["Fuzzer.swift"],
        swiftSettings: settings)
    : .executableTarget(
        name: "callreel-fuzz", dependencies: fuzzed, path: "Tests/FuzzTests", exclude: ["FuzzRegressionTests.swift"],
        swiftSettings: settings)

/// The program that measures single pieces. Only `Benchmarks/run` builds it.
let micro: [Target] =
    Context.environment["CALLREEL_MICRO"] == nil
    ? []
    : [
        .executableTarget(
            name: "callreel-micro",
            dependencies: [
                "CallreelCore", "CallreelEngine", "CallreelSinks", "CallreelWebSocket",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Benchmarks/Micro/Program",
            // As in the server: a sink's async functions run where their caller runs.
            swiftSettings: [.enableUpcomingFeature("NonisolatedNonsendingByDefault")])
    ]

let package = Package(
    name: "callreel",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "callreel", targets: ["callreel"]),
        .library(name: "CallreelCore", targets: ["CallreelCore"]),
        .library(name: "CallreelSinks", targets: ["CallreelSinks"]),
        .library(name: "CallreelCarriers", targets: ["CallreelCarriers"]),
        .library(name: "CallreelFilters", targets: ["CallreelFilters"]),
        .library(name: "CallreelDeliveries", targets: ["CallreelDeliveries"]),
        .library(name: "CallreelCommand", targets: ["CallreelCommand"]),
        // The contracts as code, for the tests of an author of sinks or carriers.
        .library(name: "CallreelTesting", targets: ["CallreelTesting"]),
    ],
    dependencies: [
        // The command line: parsing, help, exit codes.
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        // `Deque` for the queues between the call and its sinks.
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        // SHA-256 of every published file, SHA-1 of the WebSocket handshake, MD5 of repaired FLAC.
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        // The header and status types of Hummingbird's requests.
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        // One logging interface for the whole process, including sinks outside this package.
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        // One metrics interface for Callreel and for sinks outside this package.
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        // The sockets. Callreel implements the WebSocket upgrade and frames over NIO's public interface.
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        // HTTP parts between NIO's HTTP/1 codec and Hummingbird.
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        // TLS for the server and for the outgoing test call.
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        // Verification of the signature on Vonage's webhooks.
        .package(url: "https://github.com/vapor/jwt-kit.git", from: "5.7.1"),
        // HTTP server, routing, file serving. Without its configuration trait: Callreel's own configuration is strict.
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1", traits: []),
        // `callreel call http://…` asks the answer webhook as a carrier does.
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        // Signals and orderly shutdown.
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        // Starting, ending and reaping the programs of `exec` sinks. Without its extensions of Foundation's types.
        .package(url: "https://github.com/swiftlang/swift-subprocess.git", from: "1.0.2", traits: []),
        // Descriptors and paths: of the disk, and for swift-subprocess, which brings the package anyway.
        .package(url: "https://github.com/apple/swift-system.git", from: "1.8.1"),
    ],
    targets: [
        .systemLibrary(
            name: "CSndfile", path: "Sources/CSndfile", pkgConfig: "sndfile",
            providers: [.apt(["libsndfile1-dev"]), .brew(["libsndfile"])]),
        .systemLibrary(
            name: "CFLAC", path: "Sources/CFLAC", pkgConfig: "flac",
            providers: [.apt(["libflac-dev"]), .brew(["flac"])]),
        .systemLibrary(
            name: "CSamplerate", path: "Sources/CSamplerate", pkgConfig: "samplerate",
            providers: [.apt(["libsamplerate0-dev"]), .brew(["libsamplerate"])]),
        .target(
            name: "CallreelCore",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Sources/Core", swiftSettings: settings),
        .target(
            name: "CallreelEngine",
            dependencies: [
                "CallreelCore",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Engine", swiftSettings: settings),
        .target(
            name: "CallreelArchive", dependencies: ["CallreelCore"], path: "Sources/Archive", swiftSettings: settings),
        .target(
            name: "CallreelSinks",
            dependencies: [
                "CallreelCore", "CSndfile", "CFLAC", "CSamplerate",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Sources/Sinks", swiftSettings: settings),
        // Changes of the audio on its way to one sink.
        .target(
            name: "CallreelFilters", dependencies: ["CallreelCore"], path: "Sources/Filters", swiftSettings: settings),
        // What happens to recordings after the call. Programs are run as by the sinks.
        .target(
            name: "CallreelDeliveries", dependencies: ["CallreelCore", "CallreelSinks"], path: "Sources/Deliveries",
            swiftSettings: settings),
        // Without a testing library, so that Swift Testing, XCTest and plain programs can use it alike.
        .target(
            name: "CallreelTesting", dependencies: ["CallreelCore", .product(name: "Logging", package: "swift-log")],
            path: "Sources/Testing", swiftSettings: settings),
        // The carriers' protocols, as values: no socket and no HTTP library.
        .target(
            name: "CallreelCarriers",
            dependencies: [
                "CallreelCore", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
            ],
            path: "Sources/Carriers", swiftSettings: settings),
        // RFC 6455 as values, for both sides of a connection.
        .target(
            name: "CallreelWebSocket", dependencies: [.product(name: "Crypto", package: "swift-crypto")],
            path: "Sources/WebSocket", swiftSettings: settings),
        // Addresses, names and errors of a network, for both sides of a connection.
        .target(
            name: "CallreelNetwork",
            dependencies: [
                "CallreelCore",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/Network", swiftSettings: settings),
        // The carrier's side of a call, for `callreel call` and for tests.
        .target(
            name: "CallreelSimulator",
            dependencies: [
                "CallreelCore", "CallreelCarriers", "CallreelNetwork", "CallreelWebSocket",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/Simulator", swiftSettings: settings),
        .target(
            name: "CallreelServer",
            dependencies: [
                "CallreelCore", "CallreelEngine", "CallreelArchive", "CallreelNetwork", "CallreelWebSocket",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Server",
            // The page is embedded in the program, so nothing has to be installed beside it.
            resources: [.embedInCode("Page/index.html"), .embedInCode("Page/style.css"), .embedInCode("Page/page.js")],
            swiftSettings: settings),
        // The experiment that could disprove the promises: real servers, killed, filled and stalled.
        .target(
            name: "CallreelSelfTest",
            dependencies: ["CallreelCore", "CallreelSimulator", "CallreelSinks"],
            path: "Sources/SelfTest", swiftSettings: settings),
        .target(
            name: "CallreelCommand",
            dependencies: [
                "CallreelCore", "CallreelEngine", "CallreelArchive", "CallreelSinks", "CallreelCarriers",
                "CallreelDeliveries", "CallreelFilters", "CallreelServer", "CallreelSimulator", "CallreelSelfTest",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Command", swiftSettings: settings),
        .executableTarget(
            name: "callreel",
            dependencies: ["CallreelCommand"],
            path: "Sources/callreel", swiftSettings: settings),
        // Helpers shared by test targets: independent programs that judge files, a real client, temporary directories.
        .target(name: "TestSupport", dependencies: ["CallreelCore"], path: "Tests/Support", swiftSettings: settings),
        .testTarget(
            name: "CoreTests", dependencies: ["CallreelCore", "TestSupport"], path: "Tests/CoreTests",
            swiftSettings: settings),
        // The archive's tests are here too: they check recordings that the engine has made.
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "CallreelCore", "CallreelEngine", "CallreelArchive", "CallreelFilters", "CallreelSinks",
                "CallreelTesting", "TestSupport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/EngineTests", swiftSettings: settings),
        .testTarget(
            name: "CarriersTests", dependencies: ["CallreelCore", "CallreelCarriers", "CallreelTesting"],
            path: "Tests/CarriersTests",
            swiftSettings: settings),
        .testTarget(
            name: "WebSocketTests", dependencies: ["CallreelWebSocket"], path: "Tests/WebSocketTests",
            swiftSettings: settings),
        .testTarget(
            name: "SimulatorTests",
            dependencies: ["CallreelCore", "CallreelSimulator", "TestSupport"], path: "Tests/SimulatorTests",
            swiftSettings: settings),
        .testTarget(
            name: "SinksTests",
            dependencies: [
                "CallreelCore", "CallreelEngine", "CallreelArchive", "CallreelSinks", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/SinksTests", swiftSettings: settings),
        // Over the engine, which holds filters to their contract.
        .testTarget(
            name: "FiltersTests",
            dependencies: [
                "CallreelCore", "CallreelEngine", "CallreelFilters", "TestSupport",
            ],
            path: "Tests/FiltersTests", swiftSettings: settings),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "CallreelCore", "CallreelEngine", "CallreelArchive", "CallreelCarriers", "CallreelNetwork",
                "CallreelDeliveries", "CallreelServer", "CallreelSimulator", "CallreelSinks", "CallreelWebSocket",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Tests/ServerTests", swiftSettings: settings),
        .testTarget(
            name: "TestingTests",
            dependencies: [
                "CallreelCore", "CallreelDeliveries", "CallreelFilters", "CallreelSinks", "CallreelTesting",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/TestingTests", swiftSettings: settings),
        fuzzing,
        .testTarget(
            name: "CommandTests", dependencies: ["CallreelCore", "CallreelEngine", "TestSupport", "callreel"],
            path: "Tests/CommandTests", swiftSettings: settings),
    ] + micro,
    swiftLanguageModes: [.v6]
)
