import CallreelCore
import Foundation

/// The reason why a program cannot go on.
struct ProgramFailure: Error {
    /// The failure, as a phrase after the program's name: `took nothing of its input for 30 seconds`.
    let reason: String
    /// The system's error number, if a system call failed.
    let systemError: Int32?
    /// The last bytes of the program's standard error.
    let errors: String

    /// Creates a failure.
    init(_ reason: String, systemError: Int32? = nil, errors: String = "") {
        self.reason = reason
        self.systemError = systemError
        self.errors = errors
    }
}

/// The way a program ended, and the last bytes of its output.
struct ProgramOutcome {
    let status: ProgramStatus
    /// True when a process left running by the program still had its file open at the deadline.
    let leftWriter: Bool
    let output: String
    let errors: String
}

/// A program and the three pipes to it. One thread writes and reads them, blocking if necessary.
///
/// Destroying this value closes the program's input and waits up to the deadline for its end, so the program can
/// complete its file. Processes that the program leaves running are ended with it: at once, or at the deadline if they
/// still have the program's file open.
struct RunningProgram: ~Copyable {
    /// Seconds beyond the deadline and the time between two signals, for the system to end a process.
    private static let extraSeconds = 10.0

    private let task: ProgramTask
    private let deadline: Double
    private let file: LentFile?
    /// End of the time for processes left running: the deadline after the end of the program's input.
    private var patienceEnd = ContinuousClock.now
    private var isOver = false
    private let input: PipeEnd
    private let output: PipeEnd
    private let errors: PipeEnd
    /// The reading end of a pipe. The pipe ends when the program has been reaped.
    private let end: PipeEnd
    private var outputTail = ByteTail()
    private var errorTail = ByteTail()

    /// Starts the program. If the start fails, the next write or ``finish()`` reports it.
    init(_ launch: ProgramLaunch) throws(ProgramFailure) {
        let input = try PipeEnd.pair(), output = try PipeEnd.pair(), errors = try PipeEnd.pair(),
            end = try PipeEnd.pair()
        // The program's own ends stay blocking: a program may not expect a descriptor that does not block.
        for ours in [input.write, output.read, errors.read, end.read] { try ours.makeNonblocking() }
        task = ProgramTask(
            launch, input: input.read.release(), output: output.write.release(), errors: errors.write.release(),
            end: ClosingDescriptor(end.write.release()))
        deadline = launch.deadline
        file = launch.file
        self.input = input.write
        self.output = output.read
        self.errors = errors.read
        self.end = end.read
    }

    deinit {
        guard !isOver else { return }
        input.close()
        task.inputHasEnded()
        let limit = lastMoment
        let patienceEnd = task.status == nil && !task.isEnding ? .now + .seconds(deadline) : patienceEnd
        var ignored = ByteTail(), more = ByteTail()
        while task.status == nil, ContinuousClock.now < limit {
            poll([output, errors, end], until: limit)
            output.drain(into: &ignored)
            errors.drain(into: &ignored)
        }
        _ = Self.endLeftovers(task.group, file, output, errors, until: patienceEnd, &ignored, &more)
    }

    /// Ends the program from another thread, with SIGTERM and, five seconds later, SIGKILL.
    var stop: @Sendable () -> Void { { [task] in task.end() } }

    /// Writes all the bytes, at the pace of the program. Blocks.
    /// - Throws: an error if the program ends, or takes no bytes within the deadline.
    mutating func write(_ bytes: RawSpan) throws(ProgramFailure) {
        try look()
        var done = 0
        var limit = ContinuousClock.now + .seconds(deadline)
        while done < bytes.byteCount {
            switch input.write(bytes.extracting(done..<bytes.byteCount)) {
            case .done(let count):
                done += count
                limit = ContinuousClock.now + .seconds(deadline)
            case .wouldBlock:
                guard ContinuousClock.now < limit else {
                    task.end()
                    throw ProgramFailure(
                        "read no input for \(deadline) seconds, and is being ended", errors: errorTail.text)
                }
                try wait(input, until: limit)
            case .failed(EPIPE):
                throw earlyEnd("closed its input before its end")
            case .failed(let number):
                throw ProgramFailure("cannot be written to", systemError: number)
            }
        }
    }

    /// Reads the program's output without blocking.
    /// - Throws: an error if the program has ended.
    mutating func look() throws(ProgramFailure) { try wait(nil, until: .now) }

    /// Closes the program's input and waits for the program to end.
    mutating func finish() throws(ProgramFailure) -> ProgramOutcome {
        try look()
        if input.isBroken { throw earlyEnd("closed its input before its end") }
        return try conclude()
    }

    /// Closes the program's input, if it has not ended yet, and waits for the program to end.
    mutating func conclude() throws(ProgramFailure) -> ProgramOutcome {
        input.close()
        task.inputHasEnded()
        patienceEnd = .now + .seconds(deadline)
        let limit = lastMoment
        while task.status == nil {
            guard ContinuousClock.now < limit else { throw ProgramFailure("cannot be ended", errors: errorTail.text) }
            poll([output, errors, end], until: limit)
            drain()
        }
        drain()
        isOver = true
        let leftWriter = Self.endLeftovers(
            task.group, file, output, errors, until: patienceEnd, &outputTail, &errorTail)
        return ProgramOutcome(
            status: task.status ?? .unknown("it has no status"), leftWriter: leftWriter, output: outputTail.text,
            errors: errorTail.text)
    }

    /// Ends the processes that the program left running in its group. If one has the program's file open for writing,
    /// first waits until `patienceEnd` for it to be closed.
    /// - Returns: true if the file was still open then.
    private static func endLeftovers(
        _ group: ProgramGroup?, _ file: LentFile?, _ output: PipeEnd, _ errors: PipeEnd,
        until patienceEnd: ContinuousClock.Instant,
        _ outputTail: inout ByteTail, _ errorTail: inout ByteTail
    ) -> Bool {
        guard let group else { return false }
        /// Waits while a condition holds, until a time, and reads the output meanwhile.
        /// Returns true if the condition no longer holds.
        func wait(while condition: () -> Bool, until limit: ContinuousClock.Instant) -> Bool {
            while condition() {
                guard ContinuousClock.now < limit else { return false }
                poll([output, errors], until: min(limit, .now + .milliseconds(20)))
                output.drain(into: &outputTail)
                errors.drain(into: &errorTail)
            }
            return true
        }
        let isWritten = {
            guard let file else { return false }
            return switch FileWriters.of(file.lentPath) {
            case .some: true
            case .none: false
            // If the writers are unknown, every process left running may be one.
            case .unknown: group.isAlive()
            }
        }
        let isFree = wait(while: isWritten, until: patienceEnd)
        guard group.isAlive() else { return !isFree }
        for number in [SIGTERM, SIGKILL] {
            group.signal(number)
            // Most processes end at once. A zombie whose parent does not reap it counts as ended.
            if wait(while: { group.isAlive() }, until: .now + .milliseconds(300)) { break }
            if wait(while: { group.isAlive(lookCloser: true) }, until: .now + ProgramTask.grace) { break }
        }
        return !isFree
    }

    /// The latest time at which a program has ended if its input ends now, even by SIGKILL.
    private var lastMoment: ContinuousClock.Instant {
        .now + .seconds(deadline + Self.extraSeconds) + ProgramTask.grace
    }

    /// Waits until the program's input has room, or until there is output to read.
    /// - Throws: an error if the program has ended.
    private mutating func wait(_ input: PipeEnd?, until limit: ContinuousClock.Instant) throws(ProgramFailure) {
        poll([output, errors, end] + (input.map { [$0] } ?? []), until: limit)
        drain()
        if let status = task.status { throw ended(status) }
    }

    private mutating func drain() {
        output.drain(into: &outputTail)
        errors.drain(into: &errorTail)
    }

    /// Returns the failure of a program that has closed its input. Waits briefly for its status,
    /// since such a program has usually ended.
    private mutating func earlyEnd(_ reason: String) -> ProgramFailure {
        let limit = ContinuousClock.now + min(.seconds(deadline), ProgramTask.grace)
        while task.status == nil, ContinuousClock.now < limit {
            poll([output, errors, end], until: limit)
            drain()
        }
        drain()
        if let status = task.status { return ended(status) }
        return ProgramFailure(reason, errors: errorTail.text)
    }

    private func ended(_ status: ProgramStatus) -> ProgramFailure {
        if case .unknown = status { return ProgramFailure(status.description, errors: errorTail.text) }
        return ProgramFailure("\(status) before its input did", errors: errorTail.text)
    }
}
