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
        .package(name: "callreel", path: "../..")
    ],
    targets: [
        .systemLibrary(
            name: "CSodium", path: "Sources/CSodium", pkgConfig: "libsodium",
            providers: [.apt(["libsodium-dev"]), .brew(["libsodium"])]),
        .executableTarget(
            name: "Recorder",
            dependencies: [
                "CSodium",
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
