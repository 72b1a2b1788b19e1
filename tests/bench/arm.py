"""What sound and a call cost an ARM processor, for kinglet and baresip. `tests/bench/arm` prepares and runs it.

    stages            each stage of the sound alone, as the slope between two lengths: the same figure on any machine
    call              what follows: all of it, by owner

    kinglet (counted) ⇄ real server ⇄ kinglet (this machine's)          baresip (counted) ⇄ baresip (this machine's)

Both say the same WAV file again and again and hear one voice: Opus 24 kbit/s at complexity 5, 20 ms, SRTP, no DTX. Counted
are WINDOW_S seconds of steady call. What a thread executes is divided by what it did: 10 ms blocks encoded or decoded.
System calls are counted apart; what the kernel does in them qemu-user does not see.
"""
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/live"))

from baresip import Baresip  # noqa: E402
from instructions import CROSS, Machine, Profile, baresip_owner, kinglet_owner  # noqa: E402
from member import Member  # noqa: E402
from server import Server  # noqa: E402
from sound import speech  # noqa: E402

FOLDER = ROOT / "target/bench/arm"
NATIVE = Path(os.environ.get("KINGLET_BINARY", ROOT / "target/release/kinglet"))
# Whole turns of the sound that the stages repeat.
STAGE_BLOCKS = 100, 300
WARM_UP_S = 12
WINDOW_S = 20
AFTER_S = 4
TRIES = 3
# Packets in the window, of those there should be. baresip makes only 45 a second from files, on an idle machine too.
PACED = 0.85, 1.1
PACKETS_PER_S = 50
FUNCTIONS_SHOWN = 12
NAME_SHOWN = 90
GOAL = 1.0


class TooBusy(Exception):
    pass


def kinglet(machine, server, spoken):
    counts = FOLDER / f"kinglet-{machine.name}.counts"
    who = lambda name, *more: [  # noqa: E731
        "join", server.url, "--room", machine.name, "--identity", name, "--events", "json",
        "--input", f"wav:{spoken}", "--loop", "--output", f"wav:{FOLDER}/{name}.wav", *more,
    ]
    # With its symbols; what is shipped is the same, stripped.
    program = CROSS / machine.triple / "release/kinglet"
    prefix = machine.command(CROSS / f"sysroot-{machine.arch}", counts, WARM_UP_S, WARM_UP_S + WINDOW_S)
    other = Member([NATIVE, *who("other")], FOLDER / "other.err")
    counted = Member([*prefix, program, *who("counted")], FOLDER / "counted.err")
    try:
        counted.wait_for("connected", WARM_UP_S)
        time.sleep(WARM_UP_S + WINDOW_S + AFTER_S)
        counted.end()
        other.end()
    finally:
        counted.kill()
        other.kill()
    return Profile(machine, counts)


def baresip(machine, spoken):
    counts = FOLDER / f"baresip-{machine.name}.counts"
    root = CROSS / f"baresip-{machine.arch}"
    length_s = WARM_UP_S + WINDOW_S + AFTER_S
    prefix = machine.command(root, counts, WARM_UP_S, WARM_UP_S + WINDOW_S)
    callee = Baresip(FOLDER, "callee", spoken, length_s + 10)
    time.sleep(1)
    caller = Baresip(FOLDER, "caller", spoken, length_s, callee, prefix, root)
    try:
        caller.wait(length_s + 60)
    finally:
        caller.kill()
        callee.kill()
    return Profile(machine, counts)


def check_pace(profile):
    """Where the machine had no time for qemu-user, what was counted is not a steady call."""
    done = {name: profile.packets(name) for name in ("encode", "decode")}
    print(f"  {done['encode']} packets encoded and {done['decode']} decoded in {profile.seconds:.1f} s", flush=True)
    wanted = PACKETS_PER_S * profile.seconds
    if not all(PACED[0] * wanted < count < PACED[1] * wanted for count in done.values()):
        raise TooBusy


def measure(run, owner):
    for _ in range(TRIES):
        profile = run()
        try:
            check_pace(profile)
            return profile.calls.total() / profile.seconds, profile.per_block(owner)
        except TooBusy:
            print("  this machine was too busy for a steady call", flush=True)
    sys.exit("the machine has no time for calls under qemu-user: try again when it is idle")


def total_of(blocks):
    return sum(blocks.values())


def by_owner(blocks):
    owners = {}
    for (owner, _, _), count in blocks.items():
        owners[owner] = owners.get(owner, 0) + count
    return dict(sorted(owners.items(), key=lambda item: -item[1]))


def table(name, calls_per_s, blocks):
    total = total_of(blocks)
    print(f"\n{name}: {total / 1e3:.0f} thousand instructions per 10 ms, {calls_per_s:.0f} system calls a second")
    for owner, count in by_owner(blocks).items():
        print(f"  {count / 1e3:8.1f}  {100 * count / total:5.1f} %  {owner}")
    print("  most of what is not Opus:")
    others = [(count, *key) for key, count in blocks.items() if key[0] != "Opus"]
    for count, owner, file, symbol in sorted(others, reverse=True)[:FUNCTIONS_SHOWN]:
        print(f"  {count / 1e3:8.2f}  {owner:18} {symbol[:NAME_SHOWN] or Path(file).name}")


def stage_names(prefix, program):
    lines = subprocess.run([*prefix, program, "--list"], check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split("\t") for line in lines]


def stages(machine):
    """Instructions per 10 ms of each stage of tests/bench/stages.rs; nothing where it is not built."""
    program = CROSS / machine.triple / "release/examples/stages"
    sysroot = CROSS / f"sysroot-{machine.arch}"
    counts = FOLDER / "stage.counts"
    figures = {}
    for name, what in stage_names([*machine.qemu, "-L", sysroot], program):
        totals = []
        for blocks in STAGE_BLOCKS:
            subprocess.run([*machine.command(sysroot, counts), program, name, str(blocks)], check=True, stdout=subprocess.DEVNULL)
            totals.append(total_counted(counts))
        figures[name] = (totals[1] - totals[0]) / (STAGE_BLOCKS[1] - STAGE_BLOCKS[0])
        print(f"  {figures[name] / 1e3:8.1f}  {name:18} {what}", flush=True)
    return figures


def total_counted(counts):
    """All instructions of a run."""
    blocks = (line.split() for line in counts.read_text().splitlines() if line.startswith("block"))
    return sum(int(length) * int(count) for _, _, length, _, count in blocks)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    _, spoken = speech(30, FOLDER)
    figures = {}
    server = Server(FOLDER)
    try:
        for name in sys.argv[1:]:
            machine = Machine(name)
            print(f"{name}: thousand instructions per 10 ms of each stage", flush=True)
            figures[name] = {"stages": stages(machine)}
            print(f"{name}: counting {WINDOW_S} s of a call of each", flush=True)
            ours = measure(lambda: kinglet(machine, server, spoken), kinglet_owner(machine))
            phone = measure(lambda: baresip(machine, spoken), baresip_owner)
            table(f"kinglet on {name}", *ours)
            table(f"baresip on {name}", *phone)
            ratio = total_of(ours[1]) / total_of(phone[1])
            verdict = "ok" if ratio <= GOAL else "MISSED"
            print(f"\n{verdict} {name}: kinglet / baresip = {ratio:.2f}, at most {GOAL} is the goal\n", flush=True)
            figures[name] |= {"kinglet": by_owner(ours[1]), "baresip": by_owner(phone[1]), "ratio": ratio}
    finally:
        server.stop()
    (FOLDER.parent / "arm.json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
