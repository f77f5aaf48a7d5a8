import CallreelCore
import CallreelTesting
import Testing

/// Sinks whose audio goes to a server, with verbs that suspend, and with one flaw each.
@Suite struct UploadTests {
    private func violations(
        _ flaw: UploadFlaw, _ change: (inout SinkDestination, TestServer) -> Void = { _, _ in }
    ) async throws -> [SinkContractViolation] {
        let server = TestServer()
        var destination = server.destination
        change(&destination, server)
        defer { server.turn(.works) }
        return try await checkSinkContract(
            UploadSink.self, options: UploadSink.Options(flaw, server),
            plan: SinkContractPlan(patience: .seconds(flaw == .waitsForEver ? 5 : 60), destination: destination))
    }

    @Test(arguments: UploadFlaw.allCases)
    func `a flaw at a destination is found under its own number`(flaw: UploadFlaw) async throws {
        let found = try await violations(flaw)
        #expect(found.map(\.rule) == [flaw.rule].compactMap(\.self), "\(found)")
        #expect(found.allSatisfy { !$0.reason.isEmpty && !$0.reason.contains("\n") })
    }

    @Test func `a destination that counts frames is enough to miss audio`() async throws {
        let found = try await violations(.uploadsNothing) { destination, server in
            let whole = destination.received
            destination.received = {
                guard case .samples(let samples) = try await whole() else { return .frames(0) }
                return .frames(samples.count)
            }
        }
        #expect(found.map(\.rule) == [.arrival], "\(found)")
    }

    @Test func `a sink that sends its audio nowhere does not pass without a destination in the plan`() async throws {
        let server = TestServer()
        let error = await #expect(throws: SinkContractError.self) {
            try await requireSinkContract(UploadSink.self, options: UploadSink.Options(.uploadsNothing, server))
        }
        #expect(error?.description.contains("the kit sees nothing of the sink") == true, "\(String(describing: error))")
    }

    @Test(arguments: ["fail", "hang", "comeBack"])
    func `a plan that does nothing to the destination is refused`(step: String) async throws {
        let error = await #expect(throws: SinkContractError.self) {
            try await violations(.none) { destination, _ in
                switch step {
                case "fail": destination.fail = {}
                case "hang": destination.hang = {}
                default: destination.comeBack = nil
                }
            }
        }
        #expect(error?.violations == [], "\(String(describing: error))")
        let words = [
            "fail": "still takes everything when it fails", "hang": "still takes everything when it hangs",
            "comeBack": "set comeBack",
        ]
        #expect(error?.description.contains(words[step] ?? "-") == true, "\(String(describing: error))")
    }
}
