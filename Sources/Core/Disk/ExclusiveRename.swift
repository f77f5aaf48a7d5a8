import Foundation

/// A rename that never replaces a file: `renameat2(2)` with `RENAME_NOREPLACE`,
/// or `renamex_np(2)` with `RENAME_EXCL` on Darwin.
enum ExclusiveRename {
    /// Renames a file to an unused name. If it returns false, `errno` has the reason.
    static func rename(_ path: String, _ name: String) -> Bool {
        #if canImport(Darwin)
            unsafe renamex_np(path, name, UInt32(RENAME_EXCL)) == 0
        #else
            guard let renameAt2 = unsafe renameAt2 else {
                errno = ENOSYS
                return false
            }
            return unsafe renameAt2(AT_FDCWD, path, AT_FDCWD, name, noReplace) == 0
        #endif
    }

    #if !canImport(Darwin)
        private typealias RenameAt2 =
            @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32

        /// The C library's function. Headers declare it for GNU programs only, and older libraries lack it.
        private static let renameAt2: RenameAt2? = unsafe dlsym(nil, "renameat2").map {
            unsafe unsafeBitCast($0, to: RenameAt2.self)
        }

        /// `RENAME_NOREPLACE` of `linux/fs.h`.
        private static let noReplace: UInt32 = 1
    #endif
}
