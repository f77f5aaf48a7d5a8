// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "micro",
    platforms: [.macOS(.v15)],
    dependencies: [
        // What is measured: sinks and the hand-over to them, through their public interface.
        .package(name: "callreel", path: "../.."),
        // Contexts of sinks want a logger.
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    ],
    targets: [
        // Files of the server as they stand in its own source, by symbolic links: nothing there has to be public for the sake of being
        // measured, and the compiler sees them together as it does in the server. The border between the two targets is where the
        // border between the server's modules is.
        .target(name: "AudioPieces"),
        .target(name: "DoorPieces", dependencies: ["AudioPieces"]),
        .executableTarget(
            name: "Micro",
            dependencies: [
                "DoorPieces",
                .product(name: "CallreelCore", package: "callreel"),
                .product(name: "CallreelSinks", package: "callreel"),
                .product(name: "Logging", package: "swift-log"),
            ],
            // As in the server: an asynchronous verb of a sink runs where its caller runs.
            swiftSettings: [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]),
    ],
    swiftLanguageModes: [.v6]
)
