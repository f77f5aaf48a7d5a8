// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "recorder",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "recorder", targets: ["Recorder"])
    ],
    dependencies: [
        .package(name: "callreel", path: "../callreel")
    ],
    targets: [
        .executableTarget(
            name: "Recorder",
            dependencies: [
                .product(name: "CallreelCommand", package: "callreel"),
                .product(name: "CallreelCore", package: "callreel"),
                .product(name: "CallreelSinks", package: "callreel"),
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
