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
        // The HTTP client. Callreel has it too, as all of these, so they cost no further build.
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        // SHA-256 of the manifest. Callreel hands over that of each other file.
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        // Reads files in pieces, without blocking a thread of Swift's own.
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    ],
    targets: [
        .executableTarget(
            name: "Recorder",
            dependencies: [
                .product(name: "CallreelCommand", package: "callreel"),
                .product(name: "CallreelCore", package: "callreel"),
                .product(name: "CallreelDeliveries", package: "callreel"),
                .product(name: "CallreelSinks", package: "callreel"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "_NIOFileSystem", package: "swift-nio"),
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
