"""kinglet's jitter buffer beside NetEQ's (official Python SDK): both hear the same talker through the real server, over
the same bad wire, at the same time. `tests/bench/jitter` prepares and runs it, in a network namespace of its own.

    talker (SDK, RED) ─► server ─► wire.py: delay, loss ─► kinglet, SDK

Prints, for each kind of wire, the mean time that sound waited in the buffer, and how much of it was concealed.
"""
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/live"))

from far import Far, near_server  # noqa: E402
from peer import Peer  # noqa: E402
from server import token  # noqa: E402
from sound import speech  # noqa: E402

FOLDER = ROOT / "target/bench/jitter"
BINARY = os.environ.get("KINGLET_BINARY", ROOT / "target/release/kinglet")
# Longer than either remembers the wire before.
LEARN_S = 35
MEASURE_S = 30
WIRES = [
    ("no jitter", {"jitter": "none", "loss": 0}),
    ("U(0,30)", {"jitter": "uniform", "ms": 30, "loss": 0}),
    ("U(0,100)", {"jitter": "uniform", "ms": 100, "loss": 0}),
    ("Wi-Fi spikes", {"jitter": "spikes", "loss": 0}),
    ("10 % lost, RED", {"jitter": "none", "loss": 0.1}),
]


def lines(name):
    text = (FOLDER / f"{name}.jsonl").read_text().split("\n")[:-1]
    return [json.loads(line) for line in text]


def kinglet_since(count):
    """Mean wait and concealed thousandths in the `stats` events after the first `count`."""
    events = [event for event in lines("kinglet") if event["event"] == "stats"][count:]
    tracks = [track for event in events for track in event["tracks"]]
    assert tracks, (FOLDER / "kinglet.err").read_text()[-500:]
    mean = lambda key: sum(track[key] for track in tracks) / len(tracks)  # noqa: E731
    return mean("buffer_ms"), mean("concealed_permille")


def sdk_since(count):
    totals = lines("sdk")[count:]
    first, last = totals[0], totals[-1]
    since = {key: last[key] - first[key] for key in first}
    return 1000 * since["waited_s"] / since["emitted"], 1000 * since["concealed"] / since["played"]


async def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    spoken, _ = speech(30, FOLDER)
    far = Far()
    server, url = near_server(FOLDER)
    programs = []

    def start(name, command, **environment):
        out, errors = (FOLDER / f"{name}.jsonl").open("w"), (FOLDER / f"{name}.err").open("w")
        command = [*far.prefix, *map(str, command)]
        programs.append(subprocess.Popen(command, stdout=out, stderr=errors, env={**os.environ, **environment}))

    try:
        talker = await Peer.join(url, "bench", "talker")
        talker.speak_on(spoken)
        await asyncio.sleep(1)
        listen = ["--input", "none", "--output", f"wav:{FOLDER}/kinglet.wav", "--events", "json", "--stats", "1"]
        kinglet = {"LIVEKIT_TOKEN": token("bench", "kinglet")}
        start("kinglet", [BINARY, "join", url, *listen], **kinglet)
        program = Path(__file__).with_name("sdk_listener.py")
        start("sdk", [sys.executable, "-u", program, url], LIVEKIT_TOKEN=token("bench", "sdk"))
        print(f"{'':<16}{'kinglet':^20}{'SDK (NetEQ)':^20}\n{'':<16}" + f"{'wait ms':>10}{'‰':>8}  " * 2)
        for name, quality in WIRES:
            far.meet(**quality)
            await asyncio.sleep(LEARN_S)
            seen = len([event for event in lines("kinglet") if event["event"] == "stats"]), len(lines("sdk"))
            await asyncio.sleep(MEASURE_S)
            ours, theirs = kinglet_since(seen[0]), sdk_since(seen[1])
            print(f"{name:<16}" + "".join(f"{wait:>10.1f}{concealed:>8.2f}  " for wait, concealed in (ours, theirs)), flush=True)
        await talker.leave()
    finally:
        for program in programs:
            program.kill()
            program.wait()
        far.close()
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
    # The SDK's threads may still be at work, and abort the process where the interpreter ends before them.
    sys.stdout.flush()
    os._exit(0)
