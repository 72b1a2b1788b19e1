"""What sound and a call cost an ARM processor, for kinglet and baresip. `tests/bench/arm` prepares and runs it.

    stages            each stage of the sound alone, as the slope between two lengths: the same figure on any machine
    call              what follows: all of it, by owner

    kinglet (counted) ⇄ real server ⇄ 1, 4, 8 kinglets (this machine's)          baresip (counted) ⇄ baresip (this machine's)

All say the same WAV file again and again: Opus 24 kbit/s at complexity 5, 20 ms, SRTP, no DTX. Counted are WINDOW_S
seconds of steady call. What a thread executes is divided by what it did: 10 ms blocks encoded or decoded. System calls
are counted apart; what the kernel does in them qemu-user does not see (tests/rig/arm does, with cards and echo
cancellation). Files have no echo to cancel: a call with it is the call and the microphone's chain of the stages.
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
TALKERS = 1, 4, 8
# Of baresip's instructions; and of one 1 GHz Cortex-A53 core 13 % for a call, 29 % where echo is cancelled.
GOAL = 1.0
CALL_MAX, ECHO_CALL_MAX = 1.0e6, 2.3e6


class TooBusy(Exception):
    pass


def kinglet(machine, server, spoken, talkers):
    counts = FOLDER / f"kinglet-{machine.name}-{talkers}.counts"
    who = lambda name: [  # noqa: E731
        "join", server.url, "--room", f"{machine.name}-{talkers}", "--identity", name, "--events", "json",
        "--input", f"wav:{spoken}", "--loop", "--output", f"wav:{FOLDER}/{name}.wav",
    ]
    # With its symbols; what is shipped is the same, stripped.
    program = CROSS / machine.triple / "release/kinglet"
    prefix = machine.command(CROSS / f"sysroot-{machine.arch}", counts, WARM_UP_S, WARM_UP_S + WINDOW_S)
    others = [Member([NATIVE, *who(f"other-{number}")], FOLDER / f"other-{number}.err") for number in range(talkers)]
    counted = Member([*prefix, program, *who("counted")], FOLDER / "counted.err")
    try:
        counted.wait_for("connected", WARM_UP_S)
        time.sleep(WARM_UP_S + WINDOW_S + AFTER_S)
        for member in (counted, *others):
            member.end()
    finally:
        for member in (counted, *others):
            member.kill()
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


def check_pace(profile, talkers):
    """Where the machine had no time for qemu-user, what was counted is not a steady call."""
    done = {"encode": profile.packets("encode"), "decode": profile.packets("decode") / talkers}
    words = f"{done['encode']} packets encoded, and {done['decode']:.0f} of each talker decoded, in {profile.seconds:.1f} s"
    print(f"  {words}", flush=True)
    wanted = PACKETS_PER_S * profile.seconds
    if not all(PACED[0] * wanted < count < PACED[1] * wanted for count in done.values()):
        raise TooBusy


def measure(run, owner, talkers=1):
    """Instructions per 10 ms by (owner, file, symbol), system calls a second, and the longest turn of the loop."""
    for _ in range(TRIES):
        profile = run()
        try:
            check_pace(profile, talkers)
            return profile.per_block(owner), profile.calls.total() / profile.seconds, profile.longest_turn
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


def table(name, blocks, calls_per_s, longest_turn):
    total = total_of(blocks)
    print(f"\n{name}: {total / 1e3:.0f} thousand instructions per 10 ms, {calls_per_s:.0f} system calls a second")
    print(f"  longest turn of the loop: {longest_turn / 1e3:.0f} thousand")
    for owner, count in by_owner(blocks).items():
        print(f"  {count / 1e3:8.1f}  {100 * count / total:5.1f} %  {owner}")
    print("  most of what is not Opus:")
    others = [(count, *key) for key, count in blocks.items() if key[0] != "Opus"]
    for count, owner, file, symbol in sorted(others, reverse=True)[:FUNCTIONS_SHOWN]:
        print(f"  {count / 1e3:8.2f}  {owner:18} {symbol[:NAME_SHOWN] or Path(file).name}")


def by_talkers(name, calls, chain):
    """The whole call, by owner, for each number of talkers; and what the microphone's chain adds."""
    owners = {talkers: by_owner(blocks) for talkers, (blocks, *_) in calls.items()}
    print(f"\n{name}, thousand instructions per 10 ms by talkers heard")
    print(f"  {'':24}" + "".join(f"{talkers:9}" for talkers in owners))
    for owner in owners[max(owners)]:
        print(f"  {owner:24}" + "".join(f"{of.get(owner, 0) / 1e3:9.1f}" for of in owners.values()))
    for what, more in (("all of it", 0), ("with echo, noise, level", chain)):
        print(f"  {what:24}" + "".join(f"{(sum(of.values()) + more) / 1e3:9.1f}" for of in owners.values()))
    return owners


def verdict(name, what, figure, most):
    print(f"{'ok' if figure <= most else 'MISSED'} {name}: {what} {figure:.3g}, at most {most:.3g} is the goal", flush=True)


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
            calls = {
                talkers: measure(lambda: kinglet(machine, server, spoken, talkers), kinglet_owner(machine), talkers)
                for talkers in TALKERS
            }
            phone = measure(lambda: baresip(machine, spoken), baresip_owner)
            table(f"kinglet on {name}", *calls[1])
            table(f"baresip on {name}", *phone)
            chain = figures[name]["stages"]["chain-all"]
            owners = by_talkers(f"kinglet on {name}", calls, chain)
            total = total_of(calls[1][0])
            ratio = total / total_of(phone[0])
            print()
            verdict(name, "kinglet / baresip", ratio, GOAL)
            verdict(name, "one call", total, CALL_MAX)
            verdict(name, "with echo cancellation, noise suppression and gain control", total + chain, ECHO_CALL_MAX)
            print(flush=True)
            longest = {talkers: call[2] for talkers, call in calls.items()}
            figures[name] |= {"kinglet": owners, "longest_turn": longest, "baresip": by_owner(phone[0]), "ratio": ratio}
    finally:
        server.stop()
    (FOLDER.parent / "arm.json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
