import ArgumentParser
import CallreelCore
import Foundation

/// `callreel new-plugin`
struct NewPlugin: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new-plugin",
        abstract: "Makes a package with a plug-in of your own, its program and its contract test.",
        discussion: """
            The package builds as it stands, and its tests pass. Then replace the example in it by your own work.
            """)

    @Argument(help: "The family of the plug-in: sink, carrier or delivery.")
    var family: PluginFamily

    @Argument(help: "The plug-in's name, such as Peak: a letter, then letters and digits.")
    var name: String

    @Option(help: "The directory to make. Default: the name, in the working directory.")
    var directory: String?

    @Option(
        help: """
            Callreel's source: its directory, or the URL of its repository. Default: the source from which this \
            program was built.
            """)
    var callreel: String?

    func run() throws {
        let package: NewPluginPackage
        do {
            package = try NewPluginPackage(
                family, name: NewPluginName(name, family, known: CommandLineTool.plugins),
                source: callreel.map { try CallreelSource($0) } ?? CallreelSource())
        } catch let error as NewPluginMistake {
            throw ValidationError(error.description)
        }
        let place = directory ?? package.name.stem
        let files = package.files
        try Self.write(files, to: place)
        Terminal.say("Made the \(family.rawValue) \"\(package.name.type)\":")
        for file in files { Terminal.say("  \(place)/\(file.path)") }
        Terminal.say("Next:\n  cd \(place)\n  swift test\n  swift run \(package.name.program) \(family.list)")
    }

    /// Writes files to a new directory. After an error, nothing of it is left, or the error names what is left.
    static func write(_ files: [NewPluginPackage.File], to directory: String) throws(DiskError) {
        guard !FileSystem.exists(directory) else {
            throw DiskError("\(directory) exists already. Nothing was changed. Choose another --directory")
        }
        // If another process makes the directory first, this fails, and its content is left alone.
        try FileSystem.makeDirectory(directory, mode: 0o755)
        do throws(DiskError) {
            for file in files {
                let path = "\(directory)/\(file.path)"
                try FileSystem.makeDirectories(path.parentPath, mode: 0o755)
                let new = try NewFile(path, mode: 0o644)
                try unsafe new.write(Array(file.text.utf8).span.bytes)
                try new.close()
            }
        } catch {
            do {
                try FileManager.default.removeItem(atPath: directory)
            } catch let left {
                throw DiskError("\(error). The unfinished \(directory) is left; remove it (\(left))")
            }
            throw error
        }
    }
}

/// A family of plug-ins that authors write.
enum PluginFamily: String, CaseIterable, ExpressibleByArgument {
    case sink, carrier, delivery

    /// The end of a Swift type's name, such as `Sink`.
    var suffix: String { rawValue.capitalized }

    /// The subcommand that lists the types of the family.
    var list: String {
        switch self {
        case .sink: "sinks"
        case .carrier: "carriers"
        case .delivery: "deliveries"
        }
    }

    /// The document for authors, in Callreel's source.
    var document: String {
        switch self {
        case .sink: "Docs/Guide/WritingASink.md"
        case .carrier: "Docs/Guide/WritingACarrier.md"
        case .delivery: "Docs/Guide/WritingADelivery.md"
        }
    }

    /// The registered types of the family.
    func types(in plugins: Plugins) -> [String] {
        switch self {
        case .sink: plugins.sinks.types.map(\.type)
        case .carrier: plugins.carriers.types.map(\.type)
        case .delivery: plugins.deliveries.types.map(\.type)
        }
    }
}

/// A mistake in the arguments of `callreel new-plugin`.
struct NewPluginMistake: Error, CustomStringConvertible {
    let description: String
}
