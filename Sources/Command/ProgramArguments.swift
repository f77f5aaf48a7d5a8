import CallreelCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The arguments that the process was started with.
enum ProgramArguments {
    /// All of them, the program's own name first. Nil where the system does not tell.
    ///
    /// Swift reads them from `/proc`, which a chroot may lack; glibc hands them over at the start as well.
    static let all: [String]? = {
        let known = CommandLine.arguments
        if !known.isEmpty { return known }
        guard let values = unsafe startValues else { return nil }
        return unsafe (0..<Int(startCount)).map { index in unsafe values[index].map { unsafe String(cString: $0) } ?? "" }
    }()

    /// The program's name, as it was called.
    static let path = all?.first.flatMap { $0.isEmpty ? nil : $0 } ?? "callreel"

    /// The last component of ``path``.
    static let name = path.lastPathComponent
}

nonisolated(unsafe) private var startCount: Int32 = 0
nonisolated(unsafe) private var startValues: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?

#if canImport(Glibc) && compiler(>=6.3)
    /// Keeps the arguments that glibc gives to every function in this section before the program begins.
    @section(".init_array") @used
    private let keepArguments:
        @convention(c) (
            Int32, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        ) -> Void = { count, values, _ in
            unsafe startCount = count
            unsafe startValues = values
        }
#endif
