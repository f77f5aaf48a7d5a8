/// The files that a sink makes with some options, as far as they are known before a call.
public enum SinkFiles: Hashable, Sendable {
    /// Nothing is known beforehand.
    case unknown
    /// The sink makes files through ``SinkContext/createFile(_:)`` with these suffixes and no others. Empty: it makes
    /// none at all.
    case suffixes([String])

    /// The suffixes, as far as they are known.
    package var known: [String] { if case .suffixes(let list) = self { list } else { [] } }
}
