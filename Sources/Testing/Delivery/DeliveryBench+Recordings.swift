import CallreelCore
import Foundation

extension DeliveryBench {
    /// Delivers two plain recordings. Returns the first, or nil if one is not delivered.
    mutating func checkArrival(_ delivery: D) async throws(CannotCheck) -> TestRecording? {
        var first: TestRecording?
        var attachments: [[[UInt8]]] = []
        for _ in 0..<2 {
            let test = try room.publish(files: plan.files)
            guard let receipt = try await arrive(delivery, test, "a plain recording", .arrival) else { return nil }
            attachments.append(receipt.attachments.map(\.content))
            first = first ?? test
        }
        if plan.delivered == nil, attachments[0] == attachments[1] {
            throw CannotCheck(
                "the kit sees nothing: the plan cannot look into the destination, and the attachments of two "
                    + "recordings with different audio are the same")
        }
        return first
    }

    /// Delivers a recording that has to arrive. Records a violation if it does not.
    /// - Returns: the receipt; nil if there is none, or if the destination does not have the recording.
    mutating func arrive(
        _ delivery: D, _ test: TestRecording, _ what: String, _ rule: DeliveryContractRule
    ) async throws(CannotCheck) -> DeliveryReceipt? {
        switch try await attempt(delivery, test, what) {
        case .hanging: throw hanging("the delivery of \(what)")
        case .error(let error):
            note(rule, "\(what): the attempt ends with an error; \(error)")
            return nil
        case .receipt(let receipt):
            // Without this, a delivery that does nothing would pass as one with an attachment that is sometimes empty.
            if plan.delivered == nil, receipt.attachments.isEmpty, rule == .arrival {
                throw CannotCheck(
                    "the kit sees nothing: the plan cannot look into the destination, and the receipt has no attachment"
                )
            }
            guard let reason = try await absence(of: test, receipt) else { return receipt }
            note(rule, "\(what): \(reason)")
            return nil
        }
    }

    /// Delivers a recording again, as after a crash before the note of its delivery: by the same instance, and by a new
    /// one.
    mutating func checkRepetition(_ delivery: D, _ test: TestRecording) async throws(CannotCheck) {
        _ = try await arrive(delivery, test, "a recording, delivered again by the same instance", .repetition)
        let other = try await instance()
        _ = try await arrive(other, test, "a recording, delivered again by a new instance", .repetition)
    }

    /// Delivers several recordings at once.
    mutating func checkIndependence(_ delivery: D) async throws(CannotCheck) {
        var tests: [TestRecording] = []
        for _ in 0..<4 { tests.append(try room.publish(files: plan.files)) }
        let limit = plan.patience
        let endings = await withTaskGroup(of: (Int, DeliveryEnding).self) { group in
            for (index, test) in tests.enumerated() {
                group.addTask {
                    (index, await DeliveryTrial.attempt(delivery, test.recording, limit: limit))
                }
            }
            var endings: [(Int, DeliveryEnding)] = []
            for await ending in group { endings.append(ending) }
            return endings.sorted { $0.0 < $1.0 }.map(\.1)
        }
        for (test, ending) in zip(tests, endings) {
            judge(ending, "one of \(tests.count) recordings at once")
            switch ending {
            case .hanging: throw hanging("one of \(tests.count) deliveries at once")
            case .error(let error): note(.independence, "one of \(tests.count) at once ends with an error; \(error)")
            case .receipt(let receipt):
                if let reason = try await absence(of: test, receipt) {
                    note(.independence, "of one of \(tests.count) at once, \(reason)")
                }
            }
        }
        if !isBroken([.independence, .repetition]) { try await compareAttachments(delivery, tests, endings) }
    }

    /// Compares the attachments of recordings delivered at once with those of the same recordings delivered alone.
    private mutating func compareAttachments(
        _ delivery: D, _ tests: [TestRecording], _ endings: [DeliveryEnding]
    ) async throws(CannotCheck) {
        for (test, ending) in zip(tests, endings) {
            guard case .receipt(let receipt) = ending, !receipt.attachments.isEmpty else { continue }
            var alone: [[[UInt8]]] = []
            for _ in 0..<2 {
                guard let again = try await arrive(delivery, test, "a recording, delivered again", .repetition) else {
                    return
                }
                alone.append(again.attachments.map(\.content))
            }
            // Attachments that change each time, such as those with the time, prove nothing.
            if alone[0] == alone[1], alone[0] != receipt.attachments.map(\.content) {
                note(
                    .independence,
                    "the attachments of one of \(tests.count) at once differ from those of the recording alone")
            }
        }
    }

    // MARK: - Odd recordings

    /// A recording that is seldom, or that an attacker makes.
    private struct Oddity {
        let what: String
        var name: @Sendable (Int) -> String = { "2026-11-22/odd-\($0)" }
        var call = CallFacts(carrier: "contract")
        var files: [String: [UInt8]]?
        var isIncomplete = false
    }

    private var oddities: [Oddity] {
        let long = String(repeating: "9", count: 4000)
        // Each kind of quotes that a shell has, and none.
        let commands = CallFacts(
            carrier: "contract", from: "$(touch '\(room.trap)')", to: "'; touch '\(room.trap)'; '",
            uuid: "\"; touch \"\(room.trap)\"; \"", conversation: "`touch \(room.trap)`",
            headers: ["x": .string("\n touch \(room.trap) \n"), "y": .string("| touch \(room.trap) &")])
        let paths = CallFacts(
            carrier: "contract", from: "../\(room.trap.lastPathComponent)", to: "../../\(room.trap.lastPathComponent)",
            uuid: room.trap, conversation: "..", headers: ["file": .string("../\(room.trap.lastPathComponent)")])
        let controls = CallFacts(
            carrier: "contract", from: "\r\nX-Injected: yes\r\n\r\n", to: "\u{0}\u{1B}[2J", uuid: long,
            conversation: "%s%n%x",
            headers: ["": .null, "deep": .array([.array([.object(["\u{0}": .integer(.max)])])])])
        return [
            Oddity(what: "a recording without files", files: [:], isIncomplete: true),
            Oddity(what: "a recording with an empty file", files: ["raw": []]),
            Oddity(what: "a recording without facts about its call"),
            Oddity(what: "a recording with a name of blanks and quotes", name: { "it's \"so\" & so $(x) `y` \($0)" }),
            Oddity(what: "a recording with a name of other scripts", name: { "電話/Späť \u{1F4DE} \($0)" }),
            Oddity(what: "a recording with a name that begins with a dash", name: { "-n --help \($0)" }),
            Oddity(what: "a recording with commands as facts", call: commands),
            Oddity(what: "a recording with paths as facts", call: paths),
            Oddity(what: "a recording with control characters as facts", call: controls),
        ]
    }

    /// Delivers odd recordings, and a plain one after them.
    mutating func checkOddRecordings(_ delivery: D) async throws(CannotCheck) {
        let usual = plan.files
        for oddity in oddities {
            let test = try room.publish(named: oddity.name, call: oddity.call) { oddity.files ?? usual($0) }
            try await checkOdd(delivery, test, oddity.what, isIncomplete: oddity.isIncomplete)
        }
        let late = try room.publish(files: plan.files).again(1_000_000)
        try await checkOdd(delivery, late, "a recording after a million attempts", isIncomplete: false)
        let torn = try room.publish(files: plan.files)
        room.removeFile(of: torn)
        try await checkOdd(delivery, torn, "a recording with a file that is gone", isIncomplete: true)
        let plain = try room.publish(files: plan.files)
        _ = try await arrive(delivery, plain, "a plain recording after odd ones", .oddRecordings)
    }

    private mutating func checkOdd(
        _ delivery: D, _ test: TestRecording, _ what: String, isIncomplete: Bool
    ) async throws(CannotCheck) {
        switch try await attempt(delivery, test, what) {
        case .hanging: throw hanging("the delivery of \(what)")
        case .error: break
        case .receipt(let receipt):
            if let reason = try await absence(of: test, receipt, isOdd: isIncomplete) {
                note(.oddRecordings, "\(what): \(reason)")
            }
        }
    }
}
