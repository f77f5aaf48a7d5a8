import Foundation

// The fuzzer, built by scripts/fuzz alone: CALLREEL_FUZZ names the target, the arguments are libFuzzer's.

/// The reader under test in this process.
private let target: FuzzTarget = {
    let name = ProcessInfo.processInfo.environment["CALLREEL_FUZZ"] ?? "nothing"
    guard let target = FuzzTarget(rawValue: name) else {
        fatalError(
            "CALLREEL_FUZZ is \(name), which is not one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: ", "))"
        )
    }
    return target
}()

/// Tries one input (compiler-rt, FuzzerInterface.h). A fault ends the process, and libFuzzer keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func tryOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    unsafe target.check(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

/// Runs libFuzzer's own loop (compiler-rt, FuzzerInterface.h). It takes the arguments, and returns when it is done.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// The entry point that the package manager gives the program.
@_cdecl("callreel_fuzz_main")
public func begin(_ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32 {
    var count = count
    var arguments = unsafe arguments
    return unsafe runFuzzer(&count, &arguments) { unsafe tryOneInput($0, $1) }
}
