package import CallreelCore

extension Configuration {
    /// Settings for calls from Vonage's Voice API.
    package struct Vonage: Configurable {
        package var path = "/cable"
        package var sampleRate = 16000
        package var talk = "This call is being recorded."
        package var signatureSecret: [Secret] = []
        package var signatureAge = 300
        package var apiKey: String?
        package var applicationID: String?
        package var requireToken = true
        package var tokenKey: [Secret] = []
        package var tokenLifetime = 180

        package init() {}

        package static let fields: [Field<Self>] = [
            .string("path", \.path, type: "URL path", "Where the carrier's WebSocket connects.") { path in
                guard path.hasPrefix("/"), path.count > 1,
                    path.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "/-_.~".contains($0)) })
                else { return "is not a path such as \"/cable\"" }
                let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
                if parts.contains(where: { ["", ".", ".."].contains($0) }) {
                    return "has an empty part, or one of dots alone"
                }
                let taken = ["webhooks", "recordings", "api", "page.js", "page.css"] + HealthRoutes.paths
                return taken.contains(String(parts[0])) ? "is taken by the program itself" : nil
            },
            Field(
                "sampleRate", type: "8000, 16000 or 24000",
                schema: ["enum": .array(AudioFormat.supportedSampleRates.map(JSONValue.integer))],
                help: "Frames a second to ask the carrier for. What a call really has comes from its handshake.",
                read: { value, place, root, problems in
                    if case .integer(let rate) = value, AudioFormat.supportedSampleRates.contains(rate) {
                        root.sampleRate = rate
                    } else {
                        problems.append(.init(at: place, "\(value.found) is not 8000, 16000 or 24000"))
                    }
                }, write: { .integer($0.sampleRate) }),
            .string("talk", \.talk, "What the caller hears first; \"\" says nothing.") {
                $0.count > 1500 ? "is longer than the carrier's 1500 characters" : nil
            },
            .secrets(
                "signatureSecret", \.signatureSecret,
                "The account's signature secret: webhooks and calls without the carrier's signature are refused; of a list, each counts. null asks for none."
            ),
            .integer(
                "signatureAge", \.signatureAge, in: 1...86400, "Seconds that a signature's time may differ from ours."),
            .string("apiKey", \.apiKey, "The account that signatures must name; null takes any.") {
                $0.isEmpty ? "is empty" : nil
            },
            .string("applicationID", \.applicationID, "The application that signatures must name; null takes any.") {
                $0.isEmpty ? "is empty" : nil
            },
            .boolean(
                "requireToken", \.requireToken,
                "Whether a call must bring the token that the answer webhook made for it. A trusted network can do without."
            ),
            .secrets(
                "tokenKey", \.tokenKey, minimum: 32,
                "The key that tokens are made with, so that they outlive a restart; of a list the first makes them, and each is taken. null takes a new one for each start."
            ),
            .integer(
                "tokenLifetime", \.tokenLifetime, in: 5...3600,
                "Seconds from the answer webhook, with what the caller hears first, until the call's WebSocket must have come."
            ),
        ]
    }
}
