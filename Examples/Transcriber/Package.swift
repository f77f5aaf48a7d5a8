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
        // Starts the program, reads its output and ends it. Callreel has it too, also without traits.
        .package(url: "https://github.com/swiftlang/swift-subprocess.git", from: "1.0.2", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "Recorder",
            dependencies: [
                .product(name: "CallreelCommand", package: "callreel"),
                .product(name: "CallreelCore", package: "callreel"),
                .product(name: "CallreelDeliveries", package: "callreel"),
                .product(name: "CallreelSinks", package: "callreel"),
                .product(name: "Subprocess", package: "swift-subprocess"),
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
