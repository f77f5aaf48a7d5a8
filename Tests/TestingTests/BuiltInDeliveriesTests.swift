import CallreelCore
import CallreelDeliveries
import CallreelTesting
import Foundation
import Testing

/// The built-in deliveries keep the same contract as other deliveries.
@Suite struct BuiltInDeliveriesTests {
    /// Copies a recording to a directory of its id. The directory appears at once, when everything is in it.
    private static let script = """
        case $(cat "$1/mode") in fail) echo "the store is full" >&2; exit 1;; hang) exec sleep 600;; esac
        id=$(sed -n 's/^  "id" : "\\([0-9a-f]*\\)".*/\\1/p' "$2")
        new=$1/new/$id
        rm -rf "$new" && mkdir -p "$new" && cp -- "${2%.json}".* "$new" && mkdir -p "$1/store" || exit 2
        [ -d "$1/store/$id" ] && rm -rf "$new" || mv "$new" "$1/store/$id"
        """

    @Test func `a delivery by a program keeps the contract`() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let turn = { @Sendable (mode: String) in
            try Data(mode.utf8).write(to: directory.appendingPathComponent("mode"))
        }
        try turn("work")
        var options = ExecDeliveryOptions()
        options.command = ["sh", "-c", Self.script, "store", directory.path]
        var plan = DeliveryContractPlan(
            delivered: { try Self.stored(directory.appendingPathComponent("store")) }, fail: { try turn("fail") },
            hang: { try turn("hang") }, recover: { try turn("work") })
        plan.address = "sh"
        try await requireDeliveryContract(ExecDelivery.self, options: options, plan: plan)
    }

    private static func stored(_ store: URL) throws -> [RecordingID: DeliveryEvidence] {
        let files = FileManager.default
        guard files.fileExists(atPath: store.path) else { return [:] }
        var found: [RecordingID: DeliveryEvidence] = [:]
        for name in try files.contentsOfDirectory(atPath: store.path) {
            guard let id = RecordingID(name) else { continue }
            let copies = try files.contentsOfDirectory(
                at: store.appendingPathComponent(name), includingPropertiesForKeys: nil)
            found[id] = DeliveryEvidence(files: try copies.map { [UInt8](try Data(contentsOf: $0)) })
        }
        return found
    }
}
