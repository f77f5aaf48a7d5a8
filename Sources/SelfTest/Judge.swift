import CallreelCore
import Foundation

/// An independent program that examines a file.
struct Judge: Sendable {
    /// The kind of answer expected from a program.
    enum Answer: Sendable {
        /// The samples, as bytes.
        case samples
        /// Only an exit status: 0 if the program finds no fault.
        case approval
    }

    let name: String
    let path: String
    /// The formats it reads, each with the arguments before and after the file.
    fileprivate let questions: [String: (before: [String], after: [String], answer: Answer)]

    /// Examines a file. Returns the samples if the program prints them, and throws its complaint about the file.
    func examine(_ file: String) async throws -> [Int16]? {
        guard let question = questions[file.pathExtension] else { return nil }
        let log = NSTemporaryDirectory() + "callreel-judge-\(UUID().uuidString)"
        defer { for ending in [".out", ".err"] { try? FileManager.default.removeItem(atPath: log + ending) } }
        let process = try ChildProcess(path, question.before + [file] + question.after, in: "/", log: log)
        let result = try await process.result()
        guard result.status == 0 else {
            throw SelfTestError("\(name) ends with \(result.status): \(result.errors.prefix(200))")
        }
        return question.answer == .samples ? AudioContent.samples(result.output) : nil
    }

    /// Returns true if the program reads files with this extension.
    func reads(_ ending: String) -> Bool { questions[ending] != nil }
}

/// The judges installed on this machine.
package struct Jury: Sendable {
    /// The user allows files to go without a judge.
    @TaskLocal package static var isOptional = false
    /// The formats to be read by an independent program. Raw samples are compared byte by byte.
    private static let formats = ["wav", "flac"]

    let judges: [Judge]
    /// Every file must have a judge.
    private let isNeeded: Bool
    /// The names of the judges not installed here.
    let missing: [String]

    /// A jury of these judges alone.
    init(judges: [Judge]) {
        self.judges = judges
        isNeeded = false
        missing = []
    }

    /// Looks for judges of finished or of growing files. In finished files `flac` checks the MD5 as well.
    init(finished: Bool) {
        let bytes = ["-f", "s16le", "-"]
        let python =
            "import sys, wave; f = wave.open(sys.argv[1]); sys.stdout.buffer.write(f.readframes(f.getnframes()))"
        let flac = ["-d", "-s", "-c", "--force-raw-format", "--endian=little", "--sign=signed"]
        let sox = ["-t", "raw", "-e", "signed", "-b", "16", "-L", "-"]
        let all: [(String, [String: (before: [String], after: [String], answer: Judge.Answer)])] = [
            ("sox", ["wav": (["-V1"], sox, .samples), "flac": (["-V1"], sox, .samples)]),
            (
                "ffmpeg",
                ["wav": (["-v", "error", "-i"], bytes, .samples), "flac": (["-v", "error", "-i"], bytes, .samples)]
            ),
            // -F passes over a torn frame at the end, with a warning.
            ("flac", ["flac": finished ? (["-t", "-w", "-s"], [], .approval) : (flac + ["-F"], [], .samples)]),
            ("sndfile-info", ["wav": ([], [], .approval), "flac": ([], [], .approval)]),
            ("python3", ["wav": (["-c", python], [], .samples)]),
        ]
        var judges: [Judge] = [], missing: [String] = []
        for (name, questions) in all {
            if let path = Self.find(name) {
                judges.append(Judge(name: name, path: path, questions: questions))
            } else {
                missing.append(name)
            }
        }
        self.judges = judges
        self.missing = missing
        isNeeded = !Self.isOptional
    }

    /// Finds a program on `PATH`.
    ///
    /// The system's directories come first, because others may hold scripts that look for the program themselves.
    static func find(_ name: String) -> String? {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map(
            String.init)
        let folders = ["/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin", "/usr/sbin", "/sbin"].filter(
            path.contains)
        return (folders + path).map { "\($0)/\(name)" }.first(where: FileManager.default.isExecutableFile)
    }

    /// Returns true if an installed judge reads this format.
    private func isJudged(_ format: String) -> Bool { judges.contains { $0.reads(format) } }

    /// One line with the names of the used and the missing judges.
    var description: String {
        "files were opened by Callreel's own readers\(judges.map { ", " + $0.name }.joined())"
            + (missing.isEmpty ? "" : "; not installed: \(missing.joined(separator: ", "))")
            + Self.formats.filter { !isJudged($0) }.map { "; \($0): NOT JUDGED" }.joined()
    }

    /// Asks every judge about a file. Their samples must be the beginning of the signal, at least so many frames of it.
    func problems(of file: String, signal: TestSignal, atLeast frames: Int) async -> [String] {
        var problems: [String] = []
        let format = file.pathExtension
        if isNeeded, Self.formats.contains(format), !isJudged(format) {
            problems.append(
                "call \(signal.call): not judged: no other program that reads \(format) is installed")
        }
        for judge in judges where judge.reads(file.pathExtension) {
            do {
                guard let samples = try await judge.examine(file) else { continue }
                if let frame = signal.firstDifference(in: samples) {
                    problems.append("call \(signal.call): \(judge.name) reads wrong audio at frame \(frame)")
                } else if samples.count < frames {
                    problems.append("call \(signal.call): \(judge.name) reads \(samples.count) frames of \(frames)")
                }
            } catch {
                problems.append("call \(signal.call): \(error)")
            }
        }
        return problems
    }

    /// Asks every judge about many files, one file per core at a time. The answers are in the order of the files.
    func problems(of files: [(path: String, signal: TestSignal, frames: Int)]) async -> [[String]] {
        await withTaskGroup(of: (Int, [String]).self) { tasks in
            var answers = Array(repeating: [String](), count: files.count)
            var next = files.indices.makeIterator()
            func ask(_ index: Int) {
                let file = files[index]
                tasks.addTask { (index, await problems(of: file.path, signal: file.signal, atLeast: file.frames)) }
            }
            for _ in 0..<ProcessInfo.processInfo.activeProcessorCount { if let index = next.next() { ask(index) } }
            while let (index, found) = await tasks.next() {
                answers[index] = found
                if let index = next.next() { ask(index) }
            }
            return answers
        }
    }
}
