extension NewPluginPackage {
    /// A delivery that copies the files to a directory, and may be repeated.
    var delivery: Parts {
        Parts(
            plugin: deliveryType, options: deliveryOptions,
            tests: deliveryTests,
            configuration: """
                {
                  "recordings": { "directory": "recordings" },
                  "sinks": [{ "type": "flac" }],
                  "deliveries": [{ "type": "\(name.type)", "directory": "copies" }]
                }

                """,
            trial: """
                ```sh
                mkdir copies
                swift run \(name.program) serve --config recorder.json &
                swift run \(name.program) call SPEECH.wav --to http://127.0.0.1:9292/webhooks/answer
                ls copies
                ```

                `SPEECH.wav` is any audio file.
                """)
    }

    private var deliveryOptions: String {
        """
        \(imports(["CallreelCore"]))

        /// The options of a `\(name.type)` entry. Each has a property with its default, and a line in `fields`.
        struct \(name.stem)Options: Configurable {
            /// The directory of the copies.
            var directory = "copies"

            static let fields: [Field<Self>] = [
                .string("directory", \\.directory, type: "path", "The directory of the copies. It must exist.") {
                    $0.isEmpty ? "is empty" : nil
                }
            ]
        }

        """
    }

    private var deliveryType: String {
        """
        \(imports(["CallreelCore", "Foundation"]))

        /// Copies the files of each finished recording to a directory.
        struct \(name.swiftType): Delivery {
            static let type = "\(name.type)"
            static let summary = "copies the files of each recording to a directory"

            private let options: \(name.stem)Options

            /// `callreel config check` shows this. The server starts all the same: the directory may come later.
            static func obstacle(options: \(name.stem)Options) -> String? {
                FileManager.default.fileExists(atPath: options.directory) ? nil : "\\(options.directory) does not exist"
            }

            init(options: \(name.stem)Options, context: DeliveryContext) { self.options = options }

            func deliver(_ recording: PublishedRecording) throws(DeliveryError) -> DeliveryReceipt {
                try Self.copy(recording, to: options.directory)
                return DeliveryReceipt(details: ["files": .integer(recording.files.count)])
            }

            /// Copies each file under a name that no other recording has. A delivery may run again after a success that
            /// could not be noted, so this replaces the copies of an earlier attempt.
            static func copy(_ recording: PublishedRecording, to directory: String) throws(DeliveryError) {
                for file in recording.files {
                    // An attempt that takes too long is cancelled, and so is one at the end of the program.
                    if Task.isCancelled { throw DeliveryError("it was cancelled") }
                    let source = URL(fileURLWithPath: file.path)
                    let target = "\\(directory)/\\(recording.id)-\\(source.lastPathComponent)"
                    do {
                        // Written under another name first, so that a half copy never has this one.
                        let content = try Data(contentsOf: source, options: .alwaysMapped)
                        try content.write(to: URL(fileURLWithPath: target), options: .atomic)
                    } catch {
                        throw DeliveryError("cannot copy \\(file.path) to \\(target)", cause: error)
                    }
                }
            }
        }

        """
    }

    private var deliveryTests: String {
        """
        \(imports(["CallreelCore", "Foundation", "Testing"]))

        @testable import \(target)

        @Suite struct \(name.swiftType)Tests {
            @Test func `files are copied, and again after a copy was damaged`() throws {
                let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
                defer { try? FileManager.default.removeItem(at: folder) }
                let copies = folder.appendingPathComponent("copies")
                try FileManager.default.createDirectory(at: copies, withIntermediateDirectories: true)
                let file = folder.appendingPathComponent("call.wav"), content = Data("audio".utf8)
                try content.write(to: file)
                var recording = PublishedRecording(
                    id: RecordingID(), name: "call", manifestPath: folder.path + "/call.json",
                    call: CallFacts(carrier: "test"), startedAt: Date())
                recording.files = [.init(path: file.path, sink: "wav", bytes: content.count, sha256: "")]
                let copy = copies.appendingPathComponent("\\(recording.id)-call.wav")
                try \(name.swiftType).copy(recording, to: copies.path)
                #expect(try Data(contentsOf: copy) == content)
                try Data("half".utf8).write(to: copy)
                try \(name.swiftType).copy(recording, to: copies.path)
                #expect(try Data(contentsOf: copy) == content)
                #expect(try FileManager.default.contentsOfDirectory(atPath: copies.path).count == 1)
            }

            @Test func `a destination that is missing is an error`() {
                let recording = PublishedRecording(
                    id: RecordingID(), name: "call", manifestPath: "call.json", call: CallFacts(carrier: "test"),
                    startedAt: Date())
                var withFile = recording
                withFile.files = [.init(path: "/nowhere/call.wav", sink: "wav", bytes: 1, sha256: "")]
                #expect(throws: DeliveryError.self) { try \(name.swiftType).copy(withFile, to: "/nowhere") }
            }
        }

        """
    }
}
