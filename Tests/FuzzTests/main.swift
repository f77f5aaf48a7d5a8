import Foundation

// The fuzzer, built by scripts/fuzz alone: CALLREEL_FUZZ names the target, the arguments are libFuzzer's.

/// libFuzzer's own loop (compiler-rt, FuzzerInterface.h): it changes the arguments, and calls back with bytes until it is done.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

let known = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
guard let name = ProcessInfo.processInfo.environment["CALLREEL_FUZZ"], let target = FuzzTarget(rawValue: name) else {
    fatalError("CALLREEL_FUZZ is not one of \(known)")
}
var count = CommandLine.argc
var arguments = unsafe CommandLine.unsafeArgv
exit(
    unsafe runFuzzer(&count, &arguments) { bytes, length in
        guard let name = ProcessInfo.processInfo.environment["CALLREEL_FUZZ"], let target = FuzzTarget(rawValue: name) else { return -1 }
        unsafe target.check(Array(UnsafeBufferPointer(start: bytes, count: length)))
        return 0
    })
