import CallreelCore

/// The reason why a C library failed: its own words, and the system's error number if a system call failed.
///
/// The handles over libsndfile, libFLAC and libsamplerate throw this error.
/// Their callers know the file and the operation, and turn it into their own error.
struct CodecFailure: Error {
    /// The library's message, or the values that it refused.
    let reason: String
    /// The system's error number, if a system call failed inside the library.
    let systemError: Int32?
    /// The party able to fix the failure.
    let blame: SinkError.Blame

    /// Creates a failure.
    init(_ reason: String, systemError: Int32? = nil, blame: SinkError.Blame = .destination) {
        self.reason = reason
        self.systemError = systemError
        self.blame = blame
    }

    /// Returns the failure as a sink's error, with the file or operation in its text.
    ///
    /// The system's message is more precise than a library's rendering of it.
    /// The library is therefore quoted only without a system error.
    func sinkError(_ code: SinkError.Code, _ what: String) -> SinkError {
        SinkError(code, systemError == nil ? "\(what): \(reason)" : what, underlying: systemError, blame: blame)
    }
}
