/// One mistake in a configuration: its path, the value found there, and the values allowed.
public struct ConfigurationProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The key's path, such as `sinks[1].level`.
    public let path: String
    /// The value found and the values allowed, such as `12 is outside 0...8`.
    public let reason: String

    /// Makes a problem for the value at a path.
    public init(at path: ConfigurationPath, _ reason: String) {
        self.path = path.description
        self.reason = reason
    }

    /// Path and reason, such as `sinks[1].level: 12 is outside 0...8`.
    public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}

/// The path of a value in a configuration.
public struct ConfigurationPath: Hashable, Sendable, CustomStringConvertible {
    /// The path as text, such as `sinks[1].level`; empty for the whole configuration.
    public let description: String

    /// The whole configuration.
    public static let root = ConfigurationPath(description: "")

    /// Returns the path of the value under a key of this object.
    public func key(_ name: String) -> Self {
        Self(description: description.isEmpty ? name : "\(description).\(name)")
    }

    /// Returns the path of an element of this array.
    public func index(_ index: Int) -> Self { Self(description: "\(description)[\(index)]") }
}

extension String {
    /// Returns the candidate most likely meant by this text; nil if none is near enough.
    ///
    /// Near is a case difference, or at most one edit for every three characters (Damerau and Levenshtein's
    /// distance in its adjacent-transposition form). One edit is always near.
    package func nearest(in candidates: some Sequence<String>) -> String? {
        let scored = candidates.map { ($0, $0.lowercased() == lowercased() ? 0 : distance(to: $0)) }
        guard let best = scored.min(by: { $0.1 < $1.1 }), best.1 <= max(1, count / 3) else { return nil }
        return best.0
    }

    /// Returns the number of insertions, deletions, substitutions and swaps of neighbours between the two texts.
    private func distance(to other: String) -> Int {
        let a = Array(self), b = Array(other)
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var cost = Swift.min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = Swift.min(cost, beforeLast[j - 1] + 1) }
                row.append(cost)
            }
            (beforeLast, last) = (last, row)
        }
        return last[b.count]
    }
}
