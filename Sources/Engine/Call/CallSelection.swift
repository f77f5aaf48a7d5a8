package import CallreelCore
import CoreMetrics
import Synchronization

/// The entries of the configuration that want a call, decided once, when the call begins.
struct CallSelection {
    /// The sinks of the call.
    var stations: [SinkStation] = []
    /// The deliveries of the call's recording, each still to be made.
    var deliveries: [DeliveryEntry] = []
    /// The entries whose condition the call does not meet.
    var skipped: [SkippedEntry] = []

    /// Selects the entries for a call.
    init(_ call: CallFacts, of stations: [SinkStation], _ deliveries: [ReadyDelivery]) {
        for station in stations {
            guard let mismatch = station.plan.mismatch(call) else {
                self.stations.append(station)
                continue
            }
            skipped.append(
                SkippedEntry(.sinks, type: station.plan.type, name: station.plan.name, mismatch: mismatch))
        }
        for delivery in deliveries {
            guard let mismatch = delivery.envelope.when?.mismatch(call) else {
                self.deliveries.append(delivery.entry)
                continue
            }
            skipped.append(SkippedEntry(.deliveries, type: delivery.type, name: delivery.name, mismatch: mismatch))
        }
    }
}

/// The treatment of a call that no sink wants.
package enum UnwantedCalls: String, CaseIterable, Sendable {
    /// The call goes on for its parties. Callreel takes its audio, keeps nothing and only counts the call.
    case count
    /// Callreel closes the call's connection.
    case refuse
}

extension Recorder {
    /// The treatment of a call that no sink wants.
    package var unwantedCalls: UnwantedCalls { environment.settings.unwantedCalls }

    /// Returns the reason why no sink wants a call, in words; nil if one does. Counts the call if it is unwanted.
    package func unwanted(_ call: CallFacts) -> String? {
        // A recorder without any sink makes manifests alone.
        guard !stations.isEmpty, stations.allSatisfy({ $0.plan.envelope.when != nil }) else { return nil }
        let call = state.withLock { $0.expected.completed(call) }
        let selection = CallSelection(call, of: stations, [])
        guard selection.stations.isEmpty else { return nil }
        metrics.callsUnwanted.increment()
        return "no sink wants it: "
            + selection.skipped.map { "\($0.name) (\($0.skipped))" }.joined(separator: ", ")
    }
}
