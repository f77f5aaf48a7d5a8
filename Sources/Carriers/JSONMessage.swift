import CallreelCore
import Foundation

extension Desk {
    /// Returns the JSON object of a text message, read leniently. Before the call begins, an unusable message ends the
    /// call, because Callreel cannot record without a format. Later it is reported and dropped, and the result is nil.
    mutating func object(in text: Span<UInt8>) throws(CarrierRefusal) -> [String: JSONValue]? {
        let refusal: CarrierRefusal
        do throws(JSONSyntaxError) {
            let value = try JSONValue(lenient: unsafe text.withUnsafeBufferPointer { unsafe Data(buffer: $0) })
            if case .object(let message) = value { return message }
            refusal = CarrierRefusal(.policy, "a text message is not a JSON object: \(value.found)")
        } catch {
            refusal = CarrierRefusal(.malformed, "a text message is not JSON: \(error.reason)")
        }
        guard hasBegun else { throw refusal }
        malformed(refusal.reason)
        return nil
    }
}
