import CallreelCore
import Foundation
import TestSupport
import Testing

/// Tests that the server finds an unusable directory before a call is lost there.
/// In each case, one step of a call fails.
@Suite struct RehearsalTests {
    private let directory = TemporaryDirectory()

    /// A library whose functions fail like a file system, for paths that contain a certain text.
    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <stdarg.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/stat.h>
        #include <unistd.h>
        static int fails(const char *what, const char *path) {
            const char *wanted = getenv("FAILS"), *place = getenv("PLACE");
            return wanted && path && !strcmp(wanted, what) && strstr(path, place) && access(getenv("SWITCH"), F_OK) == 0;
        }
        int rename(const char *from, const char *to) {
            struct stat status;
            const char *what = !stat(from, &status) && S_ISDIR(status.st_mode) ? "directory" : !access(to, F_OK) ? "replace" : "rename";
            if (fails(what, from)) { errno = EIO; return -1; }
            return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
        }
        int fsync(int descriptor) {
            char name[64], path[4096] = "";
            snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
            if (readlink(name, path, sizeof path - 1) > 0 && fails("fsync", path)) { errno = EIO; return -1; }
            return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
        }
        int open(const char *path, int flags, ...) {
            va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest);
            if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_DIRECTORY) && strstr(path, "/file") && fails("read", path)) { errno = EIO; return -1; }
            return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open"))(path, flags, mode);
        }
        """

    @Test(arguments: ["directory", "rename", "replace", "read", "fsync"])
    func `a directory in which a step fails takes no calls, and says why`(step: String) async throws {
        let library = directory.path + "/fails.so", source = directory.path + "/fails.c",
            lever = directory.path + "/switch"
        try Self.source.write(toFile: source, atomically: true, encoding: .utf8)
        try await Program("gcc").output(["-shared", "-fPIC", "-o", library, source, "-ldl"])
        try RunningServer.configuration.write(
            toFile: directory.path + "/callreel.json", atomically: true, encoding: .utf8)
        let program = try Program.callreel.start(
            ["serve", "--config", "callreel.json", "--port", "0"], in: directory.path,
            environment: ["LD_PRELOAD": library, "FAILS": step, "PLACE": "recordings/.partial", "SWITCH": lever])
        defer { program.signal(SIGKILL) }
        let url = try await program.page() + "/"
        #expect(try await Program("curl").run(["-sf", url + "readyz"]).status == 0)
        try Data().write(to: URL(fileURLWithPath: lever))
        // The server tries a sync about once a minute.
        var answer = ""
        for _ in 0..<180 where !answer.hasSuffix("503") {
            answer = try await Program("curl").run(["-s", "-w", "%{http_code}", url + "readyz"]).text
            try await Task.sleep(for: .milliseconds(500))
        }
        #expect(answer.hasSuffix("503") && answer.contains("Input/output error"), "\(answer)")
        try FileManager.default.removeItem(atPath: lever)
        _ = try await eventually("room again") {
            try await Program("curl").run(["-sf", url + "readyz"]).status == 0 ? true : nil
        }
    }
}
