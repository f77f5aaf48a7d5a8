package import Foundation

/// Makes threads that have the disk and the clocks of the present task.
package enum DiskThread {
    /// Makes a thread. It is not started yet.
    package static func make(_ body: @escaping @Sendable () -> Void) -> Thread {
        let disk = FileSystem.disk, clocks = Clocks.current
        return Thread { FileSystem.$disk.withValue(disk) { Clocks.$current.withValue(clocks, operation: body) } }
    }
}
