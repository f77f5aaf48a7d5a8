import CallreelCore
import Foundation

/// Options of a `{"type": "httpUpload"}` entry.
struct HTTPUploadOptions: Configurable {
    var url = "https://store.example/calls"
    var token: Secret?

    static let fields: [Field<Self>] = [
        Field.string("url", \.url, type: "URL", "The address under which each recording gets a directory of its own.") {
            let url = URL(string: $0)
            return ["http", "https"].contains(url?.scheme) && url?.host() != nil
                ? nil : "is not an address such as https://store.example/calls"
        }
        .required(),
        .secret("token", \.token, minimum: 16, "A bearer token for the server; null sends none."),
    ]
}
