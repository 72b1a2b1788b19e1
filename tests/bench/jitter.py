"""kinglet's jitter buffer beside NetEQ's (official Python SDK): both hear the same talker through the real server, over
the same bad line, at the same time. `tests/bench/jitter` prepares and runs it.

    talker (SDK, RED) ─► server ─► line.py: the delays and losses of a trace ─► kinglet, SDK

Prints, for each trace, the mean delay over its fastest packet, the mean time that sound waited in the buffer, and how much of
it was concealed; leaves NetEQ's for the simulation to print beside its own (tests/bench/neteq.csv).

Each waits from a packet's arrival on, so that its delay over the fastest packet is that and how late packets are on average,
which the trace tells.
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

import server as live  # noqa: E402
from peer import Peer  # noqa: E402
from relay import ONLY_THROUGH_THE_RELAY, Relay  # noqa: E402
from sound import speech  # noqa: E402
from line import Line, delays_ms  # noqa: E402

FOLDER = ROOT / "target/bench/jitter"
BINARY = os.environ.get("KINGLET_BINARY", ROOT / "target/release/kinglet")
NETEQ = ROOT / "tests/bench/neteq.csv"
# Longer than either remembers the wire before.
LEARN_S = 35
MEASURE_S = 30
TRACES = [
    "no_jitter",
    "u_0_30",
    "u_0_100",
    "half_normal_10",
    "wi_fi_spikes",
    "bursts_of_60_ms",
    "steps_of_200_ms",
    "reordered",
    "10_lost_red",
    "10_in_bursts_red",
]


class Listeners:
    """The programs behind the line."""

    def __init__(self):
        self.programs = []

    def start(self, name, command, **environment):
        out = (FOLDER / f"{name}.jsonl").open("w")
        errors = (FOLDER / f"{name}.err").open("w")
        environment = {**os.environ, **environment}
        self.programs.append(subprocess.Popen(list(map(str, command)), stdout=out, stderr=errors, env=environment))

    def close(self):
        for program in reversed(self.programs):
            program.kill()
            program.wait()


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


def mean_lateness_ms(path):
    delays = [delay for delay in delays_ms(path) if delay is not None]
    return sum(delays) / len(delays) - min(delays)


async def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    spoken, _ = speech(30, FOLDER)
    server = live.Server(FOLDER, node_ip=Relay.ADDRESS, rtc=ONLY_THROUGH_THE_RELAY)
    line, listeners = Line(server.udp_port), Listeners()
    try:
        url = server.url
        talker = await Peer.join(url, "bench", "talker")
        talker.speak_on(spoken)
        await asyncio.sleep(1)
        listen = ["--input", "none", "--output", f"wav:{FOLDER}/kinglet.wav", "--events", "json", "--stats", "1"]
        token = {"LIVEKIT_TOKEN": live.token("bench", "kinglet")}
        listeners.start("kinglet", [BINARY, "join", url, *listen], **token)
        program = Path(__file__).with_name("sdk_listener.py")
        listeners.start("sdk", [sys.executable, "-u", program, url], LIVEKIT_TOKEN=live.token("bench", "sdk"))
        print(f"{'':<26}{'kinglet':^28}{'SDK (NetEQ)':^28}\n{'':<26}" + f"{'delay ms':>10}{'wait ms':>8}{'‰':>8}  " * 2)
        results = ["trace,delay_ms,wait_ms,concealed_permille"]
        for name in TRACES:
            path = ROOT / f"target/traces/{name}.csv"
            line.follow(path)
            await asyncio.sleep(LEARN_S)
            seen = len([event for event in lines("kinglet") if event["event"] == "stats"]), len(lines("sdk"))
            await asyncio.sleep(MEASURE_S)
            late_ms = mean_lateness_ms(path)
            row = f"{name:<26}"
            for wait_ms, permille in (kinglet_since(seen[0]), sdk_since(seen[1])):
                row += f"{wait_ms + late_ms:>10.1f}{wait_ms:>8.1f}{permille:>8.2f}  "
            print(row, flush=True)
            # What was measured last is NetEQ's.
            results.append(f"{name},{wait_ms + late_ms:.1f},{wait_ms:.1f},{permille:.2f}")
        NETEQ.write_text("\n".join(results) + "\n")
        await talker.leave()
    finally:
        listeners.close()
        line.close()
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
    # The SDK's threads may still be at work, and abort the process where the interpreter ends before them.
    sys.stdout.flush()
    os._exit(0)
