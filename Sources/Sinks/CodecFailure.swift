import CallreelCore

/// Why a C library refused: its own words, and the system's error number where it was the system that refused.
///
/// The handles over libsndfile, libFLAC and libsamplerate throw it; who uses a handle knows the file and the moment, and
/// makes its own error of it.
struct CodecFailure: Error {
    /// What the library said, or what it was given that it could not take.
    let reason: String
    /// The system's error number, when a system call failed inside the library.
    let systemError: Int32?
    /// Who can mend it.
    let blame: SinkError.Blame

    /// Says why.
    init(_ reason: String, systemError: Int32? = nil, blame: SinkError.Blame = .destination) {
        self.reason = reason
        self.systemError = systemError
        self.blame = blame
    }

    /// The same failure as a sink reports it, with the file that it happened to.
    ///
    /// The system's message says more than a library's rendering of it, so the library is quoted only without one.
    func sinkError(_ code: SinkError.Code, _ what: String) -> SinkError {
        SinkError(code, systemError == nil ? "\(what): \(reason)" : what, underlying: systemError, blame: blame)
    }
}
