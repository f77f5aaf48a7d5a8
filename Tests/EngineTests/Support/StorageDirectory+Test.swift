import CoreMetrics

@testable import CallreelEngine

extension StorageDirectory.Rules {
    /// Rules of a directory without limits of free space.
    static func test(mustExist: Bool = false) -> Self {
        .init(mustExist: mustExist, mode: 0o750, marks: SpaceMarks(low: 0, critical: 0))
    }
}

extension Meter {
    /// A meter that shows its value to no receiver.
    static var test: Meter { RecorderMetrics(NOOPMetricsHandler.instance).freeBytes("test") }
}
