import CallreelCore
import Foundation

/// The place of Callreel's source for a new package.
enum CallreelSource {
    /// A directory, as an absolute path.
    case directory(String)
    /// A repository, with tags for its versions.
    case repository(String)

    /// The file by which a directory is known as Callreel's source.
    private static let mark = "Sources/Core/Version.swift"

    /// Finds the source from which the running program was built.
    init() throws(NewPluginMistake) {
        var directory = (Bundle.main.executablePath ?? "").parentPath
        while !directory.isEmpty, directory != "/" {
            if FileSystem.exists("\(directory)/\(Self.mark)") {
                self = .directory(directory)
                return
            }
            directory = directory.parentPath
        }
        throw NewPluginMistake(
            description: "Callreel's source is not above this program; name its directory or its URL with --callreel")
    }

    /// Takes a directory, or the URL of a repository.
    init(_ text: String) throws(NewPluginMistake) {
        if text.contains("://") || text.contains(/^[\w.-]+@[\w.-]+:./) {
            // A path without a space follows the host: its last part is the package's name.
            guard text.wholeMatch(of: /([a-z+]+:\/\/[^\s\/]*\/|[\w.-]+@[\w.-]+:)\S*[^\s\/]\/?/) != nil else {
                throw NewPluginMistake(description: "\(text.debugDescription) is not the URL of a repository")
            }
            self = .repository(text)
            return
        }
        let path = URL(fileURLWithPath: text).standardizedFileURL.path
        guard FileSystem.exists("\(path)/\(Self.mark)"), FileSystem.exists("\(path)/Package.swift") else {
            throw NewPluginMistake(
                description: "\(text.debugDescription) is not Callreel's source: it has no \(Self.mark)")
        }
        self = .directory(path)
    }

    /// Returns the name by which a package's targets know a repository: the last part of its URL.
    private static func identity(_ url: String) -> String {
        let last = url.split(whereSeparator: { $0 == "/" || $0 == ":" }).last ?? ""
        return (last.hasSuffix(".git") ? String(last.dropLast(4)) : String(last)).lowercased()
    }

    /// The line for the dependencies of a `Package.swift`.
    var dependency: String {
        switch self {
        case .directory(let path): ".package(name: \"callreel\", path: \(path.debugDescription))"
        case .repository(let url): ".package(url: \(url.debugDescription), from: \"\(CallreelVersion.current)\")"
        }
    }

    /// The name of the package for the dependencies of a target.
    var package: String {
        switch self {
        case .directory: "callreel"
        case .repository(let url): Self.identity(url)
        }
    }
}

/// The files of a new plug-in's package.
///
/// The templates are texts in the program. A bundle of resources would not be beside a program that was copied alone.
struct NewPluginPackage {
    /// A file of the package.
    struct File {
        /// The path in the package.
        let path: String
        let text: String
    }

    let family: PluginFamily
    let name: NewPluginName
    private let source: CallreelSource

    /// Describes a package.
    init(_ family: PluginFamily, name: NewPluginName, source: CallreelSource) {
        self.family = family
        self.name = name
        self.source = source
    }

    /// The name of the target with the plug-in and the program.
    var target: String { "\(name.stem)Recorder" }

    /// All files, in the order in which an author reads them.
    var files: [File] {
        let parts =
            switch family {
            case .sink: sink
            case .carrier: carrier
            case .delivery: delivery
            }
        return [
            File(path: "README.md", text: readme(parts)),
            File(path: "Package.swift", text: manifest),
            File(path: "Sources/\(target)/\(name.swiftType).swift", text: parts.plugin),
            File(path: "Sources/\(target)/\(name.stem)Options.swift", text: parts.options),
            File(path: "Sources/\(target)/main.swift", text: main),
            File(
                path: "Tests/\(target)Tests/\(name.swiftType)Tests.swift",
                text: parts.tests),
            File(path: "recorder.json", text: parts.configuration),
            File(path: ".gitignore", text: ".build/\nrecordings/\n"),
        ]
    }

    /// The texts that differ between the families.
    struct Parts {
        var plugin: String
        var options: String
        var tests: String
        var configuration: String
        /// The last section of the README: how to try the plug-in.
        var trial: String
    }

    /// The modules with Callreel's own plug-ins that the program needs.
    private var modules: [String] {
        switch family {
        case .sink: ["CallreelSinks"]
        case .carrier: ["CallreelCarriers", "CallreelSinks"]
        case .delivery: ["CallreelDeliveries", "CallreelSinks"]
        }
    }

    private var main: String {
        let list = family.list
        return """
            \(imports((["CallreelCommand", "CallreelCore"] + modules).sorted()))

            var \(list) = \(family.suffix)Registry.builtIn
            \(list).register(\(name.swiftType).self)
            await CommandLineTool(\(family == .sink ? "" : "sinks: .builtIn, ")\(list): \(list)).run()

            """
    }

    /// Returns the import lines of a file of the package.
    func imports(_ modules: [String]) -> String { modules.map { "import \($0)" }.joined(separator: "\n") }

    private var manifest: String {
        let modules = (["CallreelCommand", "CallreelCore"] + self.modules).map {
            "                .product(name: \"\($0)\", package: \"\(source.package)\"),\n"
        }.joined()
        return """
            // swift-tools-version: 6.2

            \(imports(["PackageDescription"]))

            let package = Package(
                name: "\(name.program)",
                platforms: [.macOS(.v15)],
                products: [
                    .executable(name: "\(name.program)", targets: ["\(target)"])
                ],
                dependencies: [
                    \(source.dependency)
                ],
                targets: [
                    .executableTarget(
                        name: "\(target)",
                        dependencies: [
            \(modules)            ]),
                    .testTarget(
                        name: "\(target)Tests",
                        dependencies: [
                            "\(target)",
                            .product(name: "CallreelCore", package: "\(source.package)"),
                            .product(name: "CallreelTesting", package: "\(source.package)"),
                        ]),
                ],
                swiftLanguageModes: [.v6]
            )

            """
    }

    private func readme(_ parts: Parts) -> String {
        """
        # \(name.program)

        Callreel with one \(family.rawValue) more: `\(name.type)`.

        You need Swift 6.2 or newer, and the packages that Callreel's `scripts/setup` installs.

        ```sh
        swift test                              # checks the \(family.rawValue) against its contract
        swift run \(name.program) \(family.list) describe \(name.type)
        ```

        - `Sources/\(target)/\(name.swiftType).swift` is the \(family.rawValue). Replace its work by your own.
        - `Sources/\(target)/\(name.stem)Options.swift` has the options that operators may set.
        - `recorder.json` is a configuration that uses it.

        `\(family.document)` in Callreel's source explains each step.

        ## Try it

        \(parts.trial)

        """
    }
}
