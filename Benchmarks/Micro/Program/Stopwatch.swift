import Foundation

/// Measures work in CPU time of the whole process. Worker threads therefore count, and other programs do not.
struct Stopwatch {
    /// The CPU time of one piece of work.
    struct Measurement {
        let name: String
        /// CPU nanoseconds for one frame of 20 ms: the median of all rounds, and below it the least.
        let median: Double
        let least: Double
    }

    /// Rounds of each piece.
    private let rounds = 9
    /// The least nanoseconds of a round, so that the clock's resolution does not matter.
    private let roundLength = 100_000_000.0

    private(set) var measurements: [Measurement] = []

    /// CPU time of the process so far, in nanoseconds.
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }

    /// Measures work on a number of frames, repeated many times.
    mutating func measure(_ name: String, frames: Int, _ work: () throws -> Void) rethrows {
        var repetitions = 1
        while true {
            let begin = Self.now()
            for _ in 0..<repetitions { try work() }
            if Self.now() - begin >= roundLength { break }
            repetitions *= 2
        }
        var samples: [Double] = []
        for _ in 0..<rounds {
            let begin = Self.now()
            for _ in 0..<repetitions { try work() }
            samples.append((Self.now() - begin) / Double(repetitions * frames))
        }
        add(name, samples)
    }

    /// Adds samples measured elsewhere, in nanoseconds a frame.
    mutating func add(_ name: String, _ samples: [Double]) {
        let sorted = samples.sorted()
        measurements.append(Measurement(name: name, median: sorted[sorted.count / 2], least: sorted[0]))
    }

    /// Prints a table, with every measurement compared to the first.
    func report() {
        func row(_ cells: [String]) {
            let widths = [44, 12, 12, 10, 24]
            print(
                zip(cells, widths).map { cell, width in cell + String(repeating: " ", count: max(1, width - cell.count))
                }.joined())
        }
        guard let base = measurements.first?.median else { return }
        row(["piece", "ns/frame", "least", "÷ copy", "CPU-s per call-hour"])
        for measurement in measurements {
            // 50 frames a second, 180,000 an hour.
            let hour = measurement.median * 180_000 / 1e9
            row([
                measurement.name, Self.text(measurement.median), Self.text(measurement.least),
                Self.text(measurement.median / base),
                Self.text(hour, digits: 4),
            ])
        }
    }

    private static func text(_ number: Double, digits: Int = 1) -> String {
        let scale = digits == 1 ? 10.0 : 10_000.0
        return "\((number * scale).rounded() / scale)"
    }
}

/// Keeps the optimizer from removing an unused value.
@inline(never) func keep<Value>(_ value: Value) {}
