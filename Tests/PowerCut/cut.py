#!/usr/bin/env python3
"""Cuts the power of a machine that records calls, boots it again, and judges what is left.

cut.py WORKDIR --fs ext4 --sync 2 --cuts 5 [--roots] [--seed N] [--results FILE]     (WORKDIR as build-guest left it)
"""
import argparse, json, os, queue, random, re, shutil, subprocess, threading, time
from disk import Disk

RATE, CHECKPOINT, MARGIN = 16000, 1.0, 0.5
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("work")
parser.add_argument("--fs", default="ext4")
parser.add_argument("--sync", type=float, default=2)
parser.add_argument("--cuts", type=int, default=5)
parser.add_argument("--roots", action="store_true", help="give the FLAC sink a directory of its own")
parser.add_argument("--preload", default="", choices=["", "plant"],
                    help="plant: the server's fsync does nothing, so faults must be found")
parser.add_argument("--kind", choices=["publish", "reported", "random"], help="when to cut; without it each in turn")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--megabytes", type=int, default=384)
parser.add_argument("--flush", type=float, default=0.008, help="seconds that a FLUSH takes")
parser.add_argument("--results", default="results.md")
args = parser.parse_args()
rng = random.Random(args.seed)
tag = f"{args.fs}-{args.sync:g}-{'roots' if args.roots else 'home'}-{args.preload}-{args.seed}"
image = f"{args.work}/{tag}.img"


class Machine:
    def __init__(self, mode, log):
        self.disk = Disk(image, f"{args.work}/{tag}.sock", rng.randrange(1 << 30), args.flush)
        self.lines, self.log = queue.Queue(), log
        self.qemu = subprocess.Popen(
            ["nice", "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "1024",
             "-display", "none", "-serial", "stdio", "-monitor", "none", "-nic", "none", "-no-reboot",
             "-kernel", f"{args.work}/vmlinuz", "-initrd", f"{args.work}/initrd",
             "-append", f"console=ttyS0 quiet panic=-1 no_timer_check pc.mode={mode} pc.fs={args.fs} "
                        f"pc.sync={args.sync:g} pc.roots={int(args.roots)} "
                        f"pc.with={args.preload if mode == 'record' else ''}",
             "-drive", f"file={args.work}/app.img,format=raw,if=virtio,readonly=on",
             "-drive", f"file=nbd+unix:///?socket={args.work}/{tag}.sock,format=raw,if=virtio,cache=writeback"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.disk.on_cut = self.qemu.kill
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.qemu.stdout:
            line = line.decode(errors="replace").rstrip("\r\n")
            print(f"{time.monotonic():.3f} {line}", file=self.log, flush=True)
            self.lines.put((time.monotonic(), line))
        self.lines.put((time.monotonic(), None))

    def __iter__(self):
        """Lines with their times; (now, "") when there is none for a while."""
        while True:
            try:
                time_and_line = self.lines.get(timeout=0.02)
            except queue.Empty:
                yield time.monotonic(), ""
                continue
            if time_and_line[1] is None:
                self.lines.put(time_and_line)
                return
            yield time_and_line

    def end(self, policy):
        self.disk.cut()
        self.qemu.kill()
        self.qemu.wait()
        fate = self.disk.settle(policy)
        self.disk.close()
        return fate


def record(kind, log):
    """Runs until the cut. Returns when it was, what was said of calls until then, and the machine."""
    machine, begin, ready = Machine("record", log), time.monotonic(), None
    live, reported, shas, armed = {}, {}, {}, False
    wait, skip = rng.uniform(9, 26), rng.randrange(3)
    for now, line in machine:
        if now - begin > 180: break
        if line == "RECORDING": ready = now
        if match := re.match(r"LIVE (\S+) (\S+)", line): live[match[1][-32:][:8]] = (float(match[2]), now)
        if match := re.match(r"PUBLISHED (\S+) (.*)", line): shas[match[1]] = match[2].split()
        if '"call recorded"' in line and line.endswith("}"):
            entry = json.loads(line[line.index("{"):])
            reported[entry["recording"]] = int(entry["frames"])
            if kind == "reported" and ready and now - ready > wait:
                time.sleep(rng.choice([0, 0, rng.uniform(0, 0.05)]))
                break
        if kind == "publish" and not armed and ready and now - ready > wait:
            # One of the short calls is about to end: the cut comes in front of one of the disk's next writes or
            # flushes.
            about = [s for key, (s, at) in live.items()
                     if now - at < 0.8 and any(abs(s + now - at - d) < 0.12 for d in (5, 9))]
            if about:
                machine.disk.arm(*rng.choice([(rng.randrange(60), (1, 3)), (rng.randrange(25), (3,))]))
                armed = True
        if kind == "random" and ready and now - ready > wait or machine.disk.is_cut.is_set(): break
    if not ready:
        machine.end("none")
        raise SystemExit(f"the machine does not come to recording: see {log.name}")
    moment = time.monotonic()
    machine.disk.cut()
    machine.qemu.kill()
    machine.qemu.wait()
    for at, line in machine:  # What was said before the cut and is still on the wire.
        if '"call recorded"' in line and line.endswith("}"):
            entry = json.loads(line[line.index("{"):])
            reported[entry["recording"]] = int(entry["frames"])
        if match := re.match(r"LIVE (\S+) (\S+)", line): live[match[1][-32:][:8]] = (float(match[2]), at)
        if match := re.match(r"PUBLISHED (\S+) (.*)", line): shas[match[1]] = match[2].split()
    running = {key: (s, moment - at) for key, (s, at) in live.items()
               if moment - at < 3 and not any(name.endswith(key) for name in reported)}
    return machine, running, reported, shas


def check(mode, log):
    machine, begin, out = Machine(mode, log), time.monotonic(), []
    for now, line in machine:
        if line: out.append(line)
        if now - begin > 240:
            out.append("FAULT the check does not end")
            break
    machine.end("all")
    return out


def judge(running, reported, shas, out):
    faults = [line for line in out if line.startswith(("FAULT", "LEFT")) or "left in place: " in line]
    faults += [line for line in out if re.match(r"(REPAIR2|START|VERIFIED) rc=[^0]", line)]
    faults += [line for line in out if line.startswith("VERIFY ") and re.search(r"\.(json|wav|flac|raw)\b.*: ", line)]
    if "FAULT the disk does not mount" in out:
        raise SystemExit("the file system does not mount without a repair of its own: "
                         "no cut after that says anything")
    if "DONE" not in out: return ["RIG the check did not come to its end"], 0, {"wav": 0, "flac": 0, "raw": 0}, 0
    actual = dict(line.split()[1:3] for line in out if line.startswith("SHA "))
    audio = dict(line.split()[1:3] for line in out if line.startswith("AUDIO "))
    faults += [f"AUDIO {path}: {state}" for path, state in audio.items() if state != "same"]
    manifests = {}
    for line in out:
        if not line.startswith("MANIFEST "): continue
        try:
            manifest = json.loads(line.split(" ", 2)[2])
            manifests[manifest["name"]] = manifest
        except (ValueError, IndexError, KeyError):
            faults.append("FAULT a manifest that is none: " + line[:90])
    for name, frames in reported.items():
        manifest = manifests.get(name)
        if not manifest:
            faults.append(f"LOST {name} was reported as published")
            continue
        if any(s["state"] != "complete" or s["written"] != frames for s in manifest["sinks"]):
            faults.append(f"CHANGED {name}")
        known = [f["sha256"] for s in manifest["sinks"] for f in s["files"]]
        if shas.get(name, known) != known or len(known) != 3:
            faults.append(f"CHANGED {name}: hashes are not those that were published")
    for manifest in manifests.values():
        for sink in manifest["sinks"]:
            for file in sink["files"]:
                path = ("elsewhere/" if file.get("directory") else "rec/") + file["name"]
                if actual.get(path) != file["sha256"]: faults.append(f"HASH {path}")
    losses, gone, at_cut = {"wav": 0.0, "flac": 0.0, "raw": 0.0}, 0, 0.0
    for key, (seconds, age) in running.items():
        manifest = next((m for name, m in manifests.items() if name.endswith(key)), None)
        if not manifest: gone += 1
        for kind in losses:
            sinks = [s for s in manifest["sinks"] if s["type"] == kind] if manifest else []
            kept = sum(f.get("frames", 0) for s in sinks for f in s["files"]) / RATE
            losses[kind] = max(losses[kind], seconds - kept)
            at_cut = max(at_cut, seconds + age - kept)
            if args.sync and seconds - kept > args.sync + CHECKPOINT + MARGIN:
                faults.append(f"LOSS {key} {kind}: {seconds:.2f} s confirmed, {kept:.2f} s left")
    return faults, gone, losses, at_cut


with open(image, "wb") as file: file.truncate(args.megabytes << 20)
subprocess.run([f"mkfs.{args.fs}", "-F" if args.fs == "ext4" else "-f", image],
               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
shutil.copyfile(image, image + ".durable")
if not os.path.exists(args.results):
    with open(args.results, "w") as file:
        file.write("| file system | sync | cut | cache | lost of the cache | published, reported | running, confirmed "
                   "| gone | lost wav / flac / raw, of what was confirmed | of what was sent | new faults |\n"
                   "|---|---|---|---|---|---|---|---|---|---|---|\n")
known, found = set(), 0
for number in range(args.cuts):
    kind = args.kind or ["publish", "reported", "random"][(number + args.seed) % 3]
    policy = ["sectors", "none", "writes", "none", "all"][(number + args.seed) % 5]
    with open(f"{args.work}/{tag}-{number}.log", "w") as log:
        # A cut before anything was recorded shows nothing, as on a busy host: it is made once more.
        running = reported = {}
        while not running and not reported:
            machine, running, reported, shas = record(kind, log)
            fate = machine.end(policy)
        print(f"CUT {kind} {policy} {fate} running {running} reported {len(reported)}", file=log, flush=True)
        faults, gone, losses, at_cut = judge(running, reported, shas, check("start" if number % 2 else "repair", log))
        # What an earlier cut did stays on the disk.
        faults = [fault for fault in faults if fault not in known or "rc=" in fault or fault.startswith("RIG")]
        known |= set(faults)
        print(*faults, f"AT THE CUT {at_cut:.2f} s", sep="\n", file=log)
    row = (f"| {args.fs}{', two directories' if args.roots else ''}{', ' + args.preload if args.preload else ''} "
           f"| {args.sync:g} | {kind} | {policy} "
           f"| {fate['dropped'] >> 10} of {fate['dropped'] + fate['kept'] >> 10} KiB "
           f"| {len(reported)} | {len(running)} | {gone} "
           f"| {' / '.join(f'{loss:.2f}' for loss in losses.values())} s | {at_cut:.2f} s "
           f"| {len(faults)} {'; '.join(faults[:2])[:160]} |")
    print(row, flush=True)
    with open(args.results, "a") as file: file.write(row + "\n")
    found += len(faults) + gone
if found: raise SystemExit(1)
