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

        /// Copies the files of each finished recording to a directory, and its manifest.
        struct \(name.swiftType): Delivery {
            static let type = "\(name.type)"
            static let summary = "copies the files of each recording to a directory"

            private let options: \(name.stem)Options

            /// `callreel config check` shows this. The server starts all the same: the directory may come later.
            static func obstacle(options: \(name.stem)Options) -> String? {
                FileManager.default.fileExists(atPath: options.directory) ? nil : "\\(options.directory) does not exist"
            }

            init(options: \(name.stem)Options, context: DeliveryContext) { self.options = options }

            /// Copies each file under a name that no other recording has. A delivery may run again after a success that
            /// could not be noted, so this replaces the copies of an earlier attempt.
            func deliver(_ recording: PublishedRecording) throws(DeliveryError) -> DeliveryReceipt {
                for path in recording.files.map(\\.path) + [recording.manifestPath] {
                    // An attempt that takes too long is cancelled, and so is one at the end of the program.
                    if Task.isCancelled { throw DeliveryError("the copy to \\(options.directory) was cancelled") }
                    let source = URL(fileURLWithPath: path)
                    let target = "\\(options.directory)/\\(recording.id)-\\(source.lastPathComponent)"
                    do {
                        // Written under another name first, so that a half copy never has this one.
                        let content = try Data(contentsOf: source, options: .alwaysMapped)
                        try content.write(to: URL(fileURLWithPath: target), options: .atomic)
                    } catch {
                        throw DeliveryError("cannot copy \\(path) to \\(target)", cause: error)
                    }
                }
                return DeliveryReceipt(details: ["files": .integer(recording.files.count)])
            }
        }

        """
    }

    private var deliveryTests: String {
        """
        \(imports(["CallreelCore", "CallreelTesting", "Foundation", "Testing"]))

        @testable import \(target)

        @Suite struct \(name.swiftType)Tests {
            @Test func `the delivery keeps the delivery contract`() async throws {
                let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let copies = folder + "/copies", away = folder + "/away"
                try FileManager.default.createDirectory(atPath: copies, withIntermediateDirectories: true)
                var options = \(name.stem)Options()
                options.directory = copies
                // The destination fails while its directory has another name. It cannot be made to hang.
                var plan = DeliveryContractPlan(
                    delivered: { try Self.recordings(in: copies) },
                    fail: { try FileManager.default.moveItem(atPath: copies, toPath: away) }, hang: nil,
                    recover: { try FileManager.default.moveItem(atPath: away, toPath: copies) })
                plan.address = copies
                try await requireDeliveryContract(\(name.swiftType).self, options: options, plan: plan)
            }

            /// Returns the copies in a directory, by the recording's identifier at the beginning of their names.
            private static func recordings(in directory: String) throws -> [RecordingID: DeliveryEvidence] {
                var found: [RecordingID: DeliveryEvidence] = [:]
                for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
                    guard let id = RecordingID(String(name.prefix { $0 != "-" })) else { continue }
                    let content = try Data(contentsOf: URL(fileURLWithPath: directory + "/" + name))
                    found[id, default: DeliveryEvidence(files: [])].files?.append(Array(content))
                }
                return found
            }
        }

        """
    }
}
