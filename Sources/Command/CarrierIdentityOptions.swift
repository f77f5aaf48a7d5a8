import ArgumentParser
import CallreelServer
import CallreelSimulator
import Foundation

/// Options of `callreel call` for its own identity and for the servers it trusts.
struct CarrierIdentityOptions: ParsableArguments {
    @Option(
        help:
            "The carrier's signature secret. If other users see this machine's processes, set VONAGE_SIGNATURE_SECRET."
    )
    var signatureSecret: String?

    @Option(help: "The account (API key) in the signature. Default: VONAGE_API_KEY.")
    var apiKey: String?

    @Option(help: "The application in the signature. Default: VONAGE_APPLICATION_ID.")
    var applicationID: String?

    @Option(help: "A PEM file with the certificates to trust instead of the system's.")
    var ca: String?

    @Flag(help: "Trust every certificate.")
    var insecure = false

    func validate() throws {
        if insecure, ca != nil { throw ValidationError("--insecure and --ca cannot be used together") }
    }

    /// The identity. The environment supplies values missing from the options.
    var value: CarrierIdentity {
        let environment = ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty }
        return CarrierIdentity(
            signatureSecret: signatureSecret ?? environment["VONAGE_SIGNATURE_SECRET"],
            apiKey: apiKey ?? environment["VONAGE_API_KEY"],
            applicationID: applicationID ?? environment["VONAGE_APPLICATION_ID"],
            trust: insecure ? .anybody : ca.map { .authority($0) } ?? .system)
    }
}
