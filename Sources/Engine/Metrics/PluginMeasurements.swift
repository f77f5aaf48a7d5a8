import CallreelCore
import CoreMetrics
import Metrics
import Synchronization

/// The measurements that the sinks of one entry report themselves.
final class PluginMeasurements: Sendable {
    /// The most names of one entry. A name that comes from calls would otherwise fill the memory.
    private static let limit = 64

    private enum Handler: Sendable {
        case counter(Counter)
        case meter(Meter)
        case timer(Timer)
    }

    private let prefix: String
    private let dimensions: [(String, String)]
    private let factory: any MetricsFactory
    private let handlers = Mutex<[String: Handler]>([:])

    /// Makes the measurements of an entry, without a name yet.
    init(_ name: String, type: String, _ factory: any MetricsFactory) {
        prefix = "callreel_plugin_\(type)_"
        dimensions = [("sink", name)]
        self.factory = factory
    }

    /// Adds a measurement. A name that is malformed, beyond the limit, or used for another kind is ignored.
    func note(_ measurement: SinkMeasurement) {
        switch measurement {
        case .count(let name, let amount):
            guard amount >= 0 else { return }
            let made = handler(name, "_total") {
                .counter(Counter(label: $0, dimensions: dimensions, factory: factory))
            }
            if case .counter(let counter) = made { counter.increment(by: amount) }
        case .value(let name, let value):
            let made = handler(name, "") { .meter(Meter(label: $0, dimensions: dimensions, factory: factory)) }
            if case .meter(let meter) = made { meter.set(value) }
        case .time(let name, let duration):
            let made = handler(name, "_seconds") { .timer(Timer(label: $0, dimensions: dimensions, factory: factory)) }
            if case .timer(let timer) = made { timer.record(duration: duration) }
        }
    }

    private func handler(_ name: String, _ ending: String, _ make: (String) -> Handler) -> Handler? {
        handlers.withLock { handlers in
            let label = prefix + name + ending
            if let known = handlers[label] { return known }
            let isWord = !name.isEmpty && name.utf8.count <= 64 && name.utf8.allSatisfy(Self.isWordByte)
            guard isWord, handlers.count < Self.limit else { return nil }
            let made = make(label)
            handlers[label] = made
            return made
        }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
            || byte == UInt8(ascii: "_")
    }
}
