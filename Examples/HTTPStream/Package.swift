// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "recorder",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "recorder", targets: ["Recorder"])
    ],
    dependencies: [
        // Where Callreel's source is. The name is good for a folder of any name.
        .package(name: "callreel", path: "../.."),
        // The HTTP client. Callreel has both, so they cost no further build.
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        // The bytes of requests and answers.
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    ],
    targets: [
        .executableTarget(
            name: "Recorder",
            dependencies: [
                .product(name: "CallreelCommand", package: "callreel"),
                .product(name: "CallreelCore", package: "callreel"),
                .product(name: "CallreelSinks", package: "callreel"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        .testTarget(
            name: "RecorderTests",
            dependencies: [
                "Recorder",
                .product(name: "CallreelCore", package: "callreel"),
                .product(name: "CallreelTesting", package: "callreel"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
