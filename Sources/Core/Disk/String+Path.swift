import SystemPackage

extension String {
    /// The path of the enclosing directory: `a` for `a/b`, nothing for `a`, `/` for `/a` and for `/`.
    ///
    /// Works on the text alone: reads no disk and knows no home directory. Foundation's own `deletingLastPathComponent`
    /// expands `~` and traps on relative paths of one character.
    package var parentPath: String { FilePath(self).removingLastComponent().string }

    /// The last component of the path: `b` for `a/b` and for `a/b/`; `/` for `/`.
    package var lastPathComponent: String {
        let path = FilePath(self)
        return path.lastComponent?.string ?? path.string
    }

    /// The text behind the last dot of the last component: `wav` for `a/b.wav`.
    /// Empty for a name whose only dot comes first.
    package var pathExtension: String { FilePath(self).extension ?? "" }

    /// The mistake in a configured directory's path, as far as the text shows one; nil if there is none.
    package var mistakeAsPath: String? {
        if isEmpty || utf8.contains(0) { return "is not a path such as \"/mnt/archive\"" }
        // Only a shell expands `~`. Without this check, Callreel would make a directory of that name.
        if hasPrefix("~") {
            return "begins with ~, which only a shell expands; write the full path, or \"${HOME}/recordings\""
        }
        return nil
    }
}
