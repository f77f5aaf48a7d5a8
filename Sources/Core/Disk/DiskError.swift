import Foundation

/// A failure of a file operation, or of the work on a recording's files.
package struct DiskError: Error, Sendable, CustomStringConvertible {
    /// The failure in words, with the path or value concerned.
    package let reason: String
    /// The system's error number, if the system refused.
    package let underlying: Int32?

    /// Makes an error.
    package init(_ reason: String, underlying: Int32? = nil) {
        self.reason = reason
        self.underlying = underlying
    }

    /// The reason, followed by the system's message.
    package var description: String {
        guard let underlying else { return reason }
        return "\(reason): \(systemMessage(underlying))"
    }
}

extension DiskError {
    /// True when the disk or the user's quota is full.
    package var isFullDisk: Bool { underlying == ENOSPC || underlying == EDQUOT }

    /// True when the process or the system ran out of descriptors or memory. The file is not at fault.
    package var isTransient: Bool { underlying == EMFILE || underlying == ENFILE || underlying == ENOMEM }
}

/// The system's text for an error number, such as `No space left on device`.
package func systemMessage(_ number: Int32) -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        unsafe buffer.initialize(repeating: 0)
        _ = unsafe strerror_r(number, buffer.baseAddress!, buffer.count)
        return unsafe String(cString: buffer.baseAddress!)
    }
}
