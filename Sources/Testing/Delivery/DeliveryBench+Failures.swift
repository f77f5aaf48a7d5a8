import CallreelCore

extension DeliveryBench {
    /// Delivers to a destination that fails, and again once it is back: by the same instance, and by a new one.
    mutating func checkFailures(_ delivery: D) async throws(CannotCheck) {
        guard plan.fail != nil else { return }
        let same = try room.publish(files: plan.files)
        guard try await checkFailing(delivery, same, attempts: 2) else { return }
        _ = try await arrive(delivery, same.again(3), "a recording, once the destination is back", .recovery)
        let other = try room.publish(files: plan.files)
        guard try await checkFailing(try await instance(), other, attempts: 1) else { return }
        _ = try await arrive(
            try await instance(), other.again(2), "a recording that another instance could not deliver", .restart)
    }

    /// Makes attempts while the destination fails, and lets it come back. Returns true if all end with an error.
    private mutating func checkFailing(
        _ delivery: D, _ test: TestRecording, attempts: Int
    ) async throws(CannotCheck) -> Bool {
        try await turn(plan.fail, "fail")
        var ending = DeliveryEnding.hanging
        for number in 1...attempts {
            ending = try await attempt(delivery, test.again(number), "a destination that fails")
            guard case .error(let error) = ending else { break }
            if let address = plan.address, !error.description.contains(address) {
                note(
                    .reasons,
                    "a destination that fails: the error \(error.description.debugDescription) does not name "
                        + address.debugDescription)
            }
        }
        try await turn(plan.recover, "recover")
        return try await isError(ending, test, "a destination that fails", "fail")
    }

    /// Returns true for an error. Records a violation for anything else.
    private mutating func isError(
        _ ending: DeliveryEnding, _ test: TestRecording, _ what: String, _ step: String
    ) async throws(CannotCheck) -> Bool {
        switch ending {
        case .error: return true
        case .hanging: note(.noSwallowing, "\(what): the attempt has not ended within \(plan.patience)")
        case .receipt(let receipt):
            if plan.delivered != nil, try await absence(of: test, receipt) == nil {
                throw CannotCheck("the plan's \(step) does nothing: the recording was delivered all the same")
            }
            note(.noSwallowing, "\(what): the attempt ends with a receipt")
        }
        return false
    }

    /// Cancels attempts, as a deadline or the end of the program does: where the destination hangs, and where it works.
    mutating func checkCancellation(_ delivery: D) async throws(CannotCheck) {
        for cancelled in [DeliveryCancellation.beforeItBegins, .inTheMiddle] {
            let test = try room.publish(files: plan.files), what = "an attempt, \(cancelled)"
            switch try await attempt(delivery, test, what, cancelled: cancelled) {
            case .error: break
            case .hanging: note(.cancellation, "\(what): it has not ended within \(plan.patience)")
            case .receipt(let receipt):
                if let reason = try await absence(of: test, receipt) { note(.arrival, "\(what): \(reason)") }
            }
        }
        guard plan.hang != nil else { return }
        for cancelled in [DeliveryCancellation.inTheMiddle, .beforeItBegins] where !isBroken([.cancellation]) {
            let test = try room.publish(files: plan.files)
            let what = "an attempt at a destination that hangs, \(cancelled)"
            try await turn(plan.hang, "hang")
            let ending = try await attempt(delivery, test, what, cancelled: cancelled)
            try await turn(plan.recover, "recover")
            if case .hanging = ending {
                note(.cancellation, "\(what): it has not ended within \(plan.patience)")
            } else if try await isError(ending, test, what, "hang") {
                _ = try await arrive(
                    try await instance(), test.again(2), "a recording whose first attempt was cancelled", .restart)
            }
        }
    }

    // MARK: - What is left

    /// Checks that attempts do not each leave a descriptor open or a process behind, whatever their end.
    mutating func checkRelease(_ delivery: D) async throws(CannotCheck) {
        try await checkRelease(delivery, "delivered")
        if plan.fail != nil {
            try await turn(plan.fail, "fail")
            try await checkRelease(delivery, "failed")
            try await turn(plan.recover, "recover")
        }
        guard plan.hang != nil else { return }
        try await turn(plan.hang, "hang")
        try await checkRelease(delivery, "was cancelled", cancelled: .after(.milliseconds(100)))
        try await turn(plan.recover, "recover")
    }

    private mutating func checkRelease(
        _ delivery: D, _ what: String, cancelled: DeliveryCancellation = .never
    ) async throws(CannotCheck) {
        if isBroken([.release]) { return }
        let test = try room.publish(files: plan.files), limit = plan.patience
        let live = {
            _ = await DeliveryTrial.attempt(delivery, test.recording, limit: limit, cancelled: cancelled)
        }
        guard let left = try await Growth(all: Leftover.all).found(live) else { return }
        let hasProcess = left.contains { if case .process = $0 { true } else { false } }
        note(
            .release,
            "each of \(Growth<Leftover>.runs) attempts that \(what) leaves "
                + (hasProcess ? "a process behind" : "a descriptor open"))
    }
}

/// A thing that an attempt may leave behind.
private enum Leftover: Hashable, Sendable {
    case descriptor(OpenDescriptor)
    case process(ChildProcess)

    static func all() -> Set<Leftover> {
        Set(OpenDescriptor.all().map(descriptor)).union(ChildProcess.all().map(process))
    }
}
