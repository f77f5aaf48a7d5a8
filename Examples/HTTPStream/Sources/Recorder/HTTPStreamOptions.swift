import CallreelCore
import Foundation

/// Options of an `{"type": "httpStream"}` entry.
struct HTTPStreamOptions: Configurable {
    var url = "https://ears.example/live"
    var timeout = 10.0

    static let fields: [Field<Self>] = [
        Field.string("url", \.url, type: "URL", "The address under which each call gets a directory of its own.") {
            let url = URL(string: $0)
            return ["http", "https"].contains(url?.scheme) && url?.host() != nil
                ? nil : "is not an address such as https://ears.example/live"
        }
        .required(),
        .number("timeout", \.timeout, in: 0.1...60, "Seconds in which the server has to answer each request."),
    ]
}
