"""Does something wrong on purpose, to see that the check finds it: a check that never failed is not known to work."""

NAMES = {
    "drop": "the load generator leaves out one frame of the first call and says nothing",
    "flip": "one bit of one file is changed before the check",
    "cut": "the last 100 bytes of one file are taken away",
    "swap": "two calls' files change places",
    "remove": "one file is removed",
}


def plant(fault, server, sinks):
    """Spoils what was recorded, where that is what the fault does."""
    recorded = server.recorded()
    first, second = (recorded[name][sinks[0]] for name in sorted(recorded)[:2])
    if fault == "flip":
        with open(first, "r+b") as file:
            file.seek(first.stat().st_size // 2)
            byte = file.read(1)[0]
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1]))
    elif fault == "cut":
        with open(first, "r+b") as file:
            file.truncate(first.stat().st_size - 100)
    elif fault == "swap":
        aside = first.with_name("aside")
        first.rename(aside)
        second.rename(first)
        aside.rename(second)
    elif fault == "remove":
        first.unlink()
