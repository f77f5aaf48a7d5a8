/// The keys common to all delivery entries of the configuration.
package struct DeliveryEnvelope: Configurable {
    /// The entry's name in manifests and messages. By default its type, with a number from the second of a type on.
    package var name: String?
    /// The entry is used.
    package var enabled = true
    /// The calls whose recordings are delivered; nil is all.
    package var when: CallCondition?
    /// Recordings delivered at once.
    package var parallel = 2
    /// Seconds after which an attempt is cancelled.
    package var deadline = 3600.0
    /// The longest wait between two attempts, in seconds.
    package var retryLimit = 3600.0

    /// Makes an envelope with every key at its default.
    package init() {}

    package static let fields: [Field<Self>] = [
        .string(
            "name", \.name, type: "letters, digits, - and _",
            "The name of this entry in manifests and messages. null uses its type."
        ) { SinkEnvelope.isPlainName($0) ? nil : "has characters other than letters, digits, - and _" },
        .boolean("enabled", \.enabled, "Uses this entry; false skips it."),
        .condition(
            "when", \.when,
            "The calls whose recordings are delivered, by patterns for carrier, from, to, uuid, conversation or "
                + "header.NAME; null is all."),
        .integer("parallel", \.parallel, in: 1...64, "Recordings that are delivered at once."),
        .number("deadline", \.deadline, in: 1...86400, "Seconds after which an attempt is cancelled, and made again."),
        .number(
            "retryLimit", \.retryLimit, in: 1...86400,
            "The longest wait between two attempts, in seconds. The first wait is a second, and each is twice the last."
        ),
    ]
}
