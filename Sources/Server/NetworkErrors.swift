import CallreelCore
import NIOCore
import NIOPosix

/// What went wrong on the network, in the system's own words where it has some.
func networkReason(_ error: any Error) -> String {
    switch error {
    case let error as IOError:
        return systemMessage(error.errnoCode)
    case let error as NIOConnectionError:
        if let first = error.connectionErrors.first { return networkReason(first.error) }
        return "there is no address for \(error.host)"
    default:
        return "\(error)"
    }
}
