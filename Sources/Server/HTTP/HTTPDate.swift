/// Dates in HTTP's form, such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7). Older forms are not parsed.
enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let secondsOfDay = 86400
    /// The last second of the year 9999. Later times have no such form.
    private static let latest = 253_402_300_799

    /// Formats a time given in seconds since 1970. Times before 1970 or after the year 9999 are moved into that range.
    static func text(_ seconds: Int) -> String {
        let seconds = min(max(0, seconds), latest)
        let (year, month, day) = date(ofDay: seconds / secondsOfDay)
        let time = seconds % secondsOfDay
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[seconds / secondsOfDay % 7]), \(two(day)) \(months[month - 1]) \(year) "
            + "\(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60)) GMT"
    }

    /// Parses a date. Returns seconds since 1970; nil for any other form.
    static func seconds(_ text: String) -> Int? {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[5] == "GMT", parts[0].hasSuffix(","), let day = Int(parts[1]),
            let month = months.firstIndex(of: String(parts[2])), let year = Int(parts[3]), (1970...9999).contains(year),
            (1...31).contains(day)
        else { return nil }
        let time = parts[4].split(separator: ":", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
        guard time.count == 3, (0..<24).contains(time[0]), (0..<60).contains(time[1]), (0...60).contains(time[2]) else {
            return nil
        }
        return self.day(year, month + 1, day) * secondsOfDay + time[0] * 3600 + time[1] * 60 + time[2]
    }

    /// Returns the days since 1970 of a Gregorian date. Years begin in March here, so that a leap day is the last day.
    private static func day(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return 365 * year + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    }

    private static func date(ofDay number: Int) -> (year: Int, month: Int, day: Int) {
        var year = 1970 + number / 366
        while day(year + 1, 1, 1) <= number { year += 1 }
        var month = 1
        while month < 12, day(year, month + 1, 1) <= number { month += 1 }
        return (year, month, number - day(year, month, 1) + 1)
    }
}
