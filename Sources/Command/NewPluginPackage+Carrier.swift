extension NewPluginPackage {
    /// A carrier that takes JSON messages and binary audio, with a key, an option for the rate, digits and an end.
    var carrier: Parts {
        Parts(
            plugin: carrierType + carrierDialect,
            options: carrierOptions,
            tests: carrierTests,
            configuration: """
                {
                  "recordings": { "directory": "recordings" },
                  "carriers": [{ "type": "\(name.type)", "sampleRate": 16000 }],
                  "sinks": [{ "type": "wav" }]
                }

                """,
            trial: """
                ```sh
                swift run \(name.program) serve --config recorder.json
                ```

                Then open a WebSocket at `ws://127.0.0.1:9292/calls/\(name.type)`. Send `{"event": "start"}`, then
                binary messages with little-endian 16-bit samples, then `{"event": "stop"}`.
                """)
    }

    private var carrierOptions: String {
        """
        \(imports(["CallreelCore"]))

        /// The options of a `\(name.type)` entry. Each has a property with its default, and a line in `fields`.
        struct \(name.stem)Options: Configurable {
            /// Frames a second of the calls' audio.
            var sampleRate = 16000
            /// The secret that each client must send. Without one, everyone who reaches the server can place calls.
            var key: Secret?

            static let fields: [Field<Self>] = [
                .integer("sampleRate", \\.sampleRate, in: 8000...48000, "Frames per second of the calls' audio."),
                .secret(
                    "key", \\.key, minimum: 16,
                    "The secret of each client, sent as \\"Authorization: Bearer KEY\\". null asks for none."),
            ]
        }

        """
    }

    private var carrierType: String {
        """
        \(imports(["CallreelCore", "Foundation"]))

        /// Clients that send JSON events, and audio as binary messages of 16-bit little-endian samples.
        struct \(name.swiftType): Carrier {
            static let type = "\(name.type)"
            static let summary = "JSON events, and binary messages of 16-bit samples"
            /// No webhook tells a client the address of each call, so calls bring no tokens.
            static let bringsTokens = false

            private let options: \(name.stem)Options
            private let key: String?

            static func format(options: \(name.stem)Options) -> AudioFormat? {
                AudioFormat(sampleRate: options.sampleRate)
            }

            /// Reads the secret. Nothing else reads a disk.
            init(options: \(name.stem)Options, context: CarrierContext) throws(ConfigurationProblem) {
                self.options = options
                key = try options.key?.value(at: context.place.key("key"))
            }

            func admit(_ request: CarrierRequest) throws(CarrierRefusal) -> CarrierAdmission {
                guard let key else { return CarrierAdmission() }
                guard let sent = request.credentials("Bearer"), Self.isSame(Array(sent.utf8), Array(key.utf8)) else {
                    throw CarrierRefusal(.unauthorized, "the key is missing or wrong")
                }
                return CarrierAdmission()
            }

            func dialect(for admission: CarrierAdmission) -> \(name.stem)Dialect {
                \(name.stem)Dialect(sampleRate: options.sampleRate)
            }

            /// Compares secrets in a time that does not depend on the place of the first difference.
            private static func isSame(_ one: [UInt8], _ other: [UInt8]) -> Bool {
                one.count == other.count && zip(one, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
            }
        }

        """
    }

    private var carrierDialect: String {
        """

        /// The messages of one socket: `start` begins the call, `digit` is an event of it, `stop` ends it.
        struct \(name.stem)Dialect: CarrierDialect {
            let sampleRate: Int

            func receive(text: Span<UInt8>, at desk: inout Desk) throws(CarrierRefusal) {
                var bytes = Data(capacity: text.count)
                for index in text.indices { bytes.append(text[index]) }
                guard let message = try? JSONValue(parsing: bytes), let event = message["event"]?.string else {
                    // Before the call, a message that cannot be read ends it. During the call, it is counted.
                    guard desk.hasBegun else { throw CarrierRefusal(.malformed, "the first message is no event") }
                    return desk.malformed("a message without an event")
                }
                switch event {
                case "start" where !desk.hasBegun:
                    let call = CallFacts(
                        carrier: \(name.swiftType).type, from: message["from"]?.string, to: message["to"]?.string)
                    // From here on, the server takes binary messages as audio, without asking the dialect.
                    try desk.begin(call, audio: CallAudio(sampleRate: sampleRate), binary: .audio)
                case "digit" where desk.hasBegun:
                    desk.event("dtmf", ["digit": message["digit"] ?? .null])
                case "stop" where desk.hasBegun:
                    desk.end("the client ended the call")
                default:
                    guard desk.hasBegun else { throw CarrierRefusal(.policy, "the first event is not \\"start\\"") }
                    desk.malformed("an unknown event")
                }
            }
        }

        """
    }

    private var carrierTests: String {
        """
        \(imports(["CallreelCore", "CallreelTesting", "Testing"]))

        @testable import \(target)

        @Suite struct \(name.swiftType)Tests {
            private static let secret = "0123456789abcdef"

            /// A whole call, as a client sends it. Add calls captured from the real carrier.
            private static let call: [CarrierMessage] = [
                .text(#"{"event": "start", "from": "anna", "to": "ben"}"#), .binary([1, 0, 2, 0]),
                .text(#"{"event": "digit", "digit": "5"}"#), .binary([3, 0]), .text(#"{"event": "stop"}"#),
            ]

            @Test func `the carrier keeps the carrier contract`() throws {
                try requireCarrierContract(
                    \(name.swiftType).self, plan: CarrierContractPlan(conversations: [Self.call]))
            }

            @Test func `the carrier keeps the contract with a key, and keeps the key`() throws {
                var problems: [ConfigurationProblem] = []
                let options = \(name.stem)Options.read(
                    .object(["key": .string(Self.secret)]), at: .root, problems: &problems)
                #expect(problems.isEmpty)
                let request = CarrierRequest(
                    "GET", "/calls/\(name.type)", headers: [("Authorization", "Bearer \\(Self.secret)")])
                try requireCarrierContract(
                    \(name.swiftType).self, options: options,
                    plan: CarrierContractPlan(
                        conversations: [Self.call], requests: [request], secrets: [Self.secret]))
            }
        }

        """
    }
}
