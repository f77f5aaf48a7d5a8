import CallreelCore

extension CallEvent {
    /// Limit in bytes for one event's JSON. A larger event is only counted.
    static let byteLimit = 4096

    /// Bytes of the event's data as JSON.
    var byteCount: Int { JSONValue.object(data).json().utf8.count }
}
