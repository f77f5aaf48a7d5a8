import Foundation

/// A password, token or key in the configuration: the text itself, or the name of the file that holds it.
///
/// Only ``value(at:)`` reveals it. Code that prints, dumps or encodes a secret, or a value that holds one, gets
/// `(secret)` instead.
public struct Secret: Hashable, Sendable {
    /// The text shown in place of a secret.
    package static let shown = "(secret)"
    /// The prefix of a text that names a file, such as `file:/run/secrets/password`.
    static let filePrefix = "file:"
    /// The most bytes of a file with a secret. A longer file is a mistake.
    static let fileLimit = 1 << 16

    private let text: String
    private let minimum: Int

    /// Keeps a text from the configuration. No file is read yet, so a configuration can be checked on any machine.
    /// - Parameter minimum: the fewest characters that the secret may have.
    init(_ text: String, minimum: Int) {
        self.text = text
        self.minimum = minimum
    }

    /// The file that holds the secret, if the text names one.
    var file: String? {
        guard text.hasPrefix(Self.filePrefix) else { return nil }
        let path = text.dropFirst(Self.filePrefix.count)
        return String(path.hasPrefix("//") ? path.dropFirst(2) : path)
    }

    /// The mistake in the text, as far as it can be found without a disk; nil if there is none.
    var mistake: String? {
        if let file { return file.isEmpty ? "has no file name after \"\(Self.filePrefix)\"" : nil }
        return mistake(in: text)
    }

    private func mistake(in value: String) -> String? {
        if value.isEmpty { return "is empty; use null for none" }
        return value.count < minimum ? "has fewer than \(minimum) characters" : nil
    }

    /// Returns the secret itself, from its file if it is in one. One newline at the file's end is removed. Blocks.
    /// - Parameter path: the key, for the error. The error names the file, and never shows its content.
    public func value(at path: ConfigurationPath) throws(ConfigurationProblem) -> String {
        guard let file else { return text }
        let data: Data
        do throws(FileContent.Failure) {
            data = try FileContent.read(file, limit: Self.fileLimit)
        } catch {
            if case .tooLarge = error {
                throw .init(at: path, "the file \(file.debugDescription) has more than \(Self.fileLimit) bytes")
            }
            throw .init(
                at: path,
                "the file \(file.debugDescription) "
                    + (error.isMissing ? "does not exist" : "cannot be read: \(error.reason)")
            )
        }
        guard var value = String(data: data, encoding: .utf8) else {
            throw .init(at: path, "the file \(file.debugDescription) is not UTF-8 text")
        }
        // CR and LF together are one character here.
        if value.last?.isNewline == true { value.removeLast() }
        if let mistake = mistake(in: value) {
            throw .init(at: path, "the content of the file \(file.debugDescription) \(mistake)")
        }
        return value
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { Self.shown }
    public var debugDescription: String { Self.shown }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension [Secret] {
    /// Returns the secrets themselves, in their order. Blocks.
    /// - Parameter path: the key, for the error.
    package func values(at path: ConfigurationPath) throws(ConfigurationProblem) -> [String] {
        var values: [String] = []
        for (index, secret) in enumerated() {
            values.append(try secret.value(at: count > 1 ? path.index(index) : path))
        }
        return values
    }
}
