/// The keys common to all carrier entries of the configuration.
package struct CarrierEnvelope: Configurable {
    /// The entry's name in messages and standard paths. By default its type, with a number from the second of a type
    /// on.
    package var name: String?
    /// The entry is used.
    package var enabled = true
    /// The path of the WebSocket; nil is the type's standard path.
    package var path: String?
    /// The prefix of the webhooks; nil is the type's standard prefix.
    package var webhooks: String?
    /// Each call must bring the token made for it.
    package var requireToken = true
    /// The keys that tokens are made with and checked with.
    package var tokenKey: [Secret] = []
    /// Seconds until a token expires.
    package var tokenLifetime = 180

    /// Makes an envelope with every key at its default.
    package init() {}

    package static let fields: [Field<Self>] = [
        .string(
            "name", \.name, type: "letters, digits, - and _",
            "The name of this entry in messages and standard paths. null uses its type."
        ) { SinkEnvelope.isPlainName($0) ? nil : "has characters other than letters, digits, - and _" },
        .boolean("enabled", \.enabled, "Uses this entry; false skips it."),
        .string(
            "path", \.path, type: "URL path",
            "The path to which the carrier's WebSocket connects. null uses the type's own.", check: mistake(inPath:)),
        .string(
            "webhooks", \.webhooks, type: "URL path",
            "The path before the names of the webhooks. null uses the type's own.", check: mistake(inPath:)),
        .boolean(
            "requireToken", \.requireToken,
            "Refuses a call without the token from the answer webhook. false suits a trusted network."
        ),
        .secrets(
            "tokenKey", \.tokenKey, minimum: 32,
            "The key for tokens, so that they outlive a restart. Of a list, the first makes them, and each is accepted."
                + " null makes a new key at each start."),
        .integer(
            "tokenLifetime", \.tokenLifetime, in: 5...3600,
            "Seconds from the answer webhook until the call's WebSocket must have come. The greeting is within them."),
    ]

    private static func mistake(inPath path: String) -> String? {
        guard path.hasPrefix("/"), path.count > 1,
            path.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "/-_.~".contains($0)) })
        else { return "is not a path such as \"/cable\"" }
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        return parts.contains { ["", ".", ".."].contains($0) } ? "has an empty part, or one of dots alone" : nil
    }
}
