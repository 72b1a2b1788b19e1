"""A call with a board over the network, through its own loudspeaker and microphone. `tests/rig/on-a-pi` prepares and runs it.

    this machine: server, kinglet "desk" (WAV in, WAV out)  ⇄  board: kinglet "board" (its cards)
    desk says ─► board's loudspeaker ─► air ─► board's microphone ─► desk hears

So one recording judges both cards, the network and the codec: what comes back is what was said, in order, once. It is
later by two times mouth to ear; in a quiet room its wave is still like the one that was said, though a room adds its own.
Echo cancellation would take away what is listened for, so it is off.
"""
import json
import math
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/live"))

from sound import RATE, correlate, read_wav, speech  # noqa: E402

FOLDER = ROOT / "target/on-a-pi"
KEY, SECRET = "devkey", "a-secret-for-one-call-with-a-board"
SECONDS = 30
SETTLED_S = 5
WINDOW_S = 1.0
REACH_S = 2.0
# Through a small loudspeaker, a room and a small microphone. Words of another moment stay below 0.15.
CORRELATION_MIN = 0.25
HEARD_MIN = 0.8
SPREAD_MS_MAX = 200
CPU_PERCENT_MAX = 60
RSS_KB_MAX = 12_000
CONFIG = """
port: 7880
bind_addresses: ["0.0.0.0"]
keys: {{ {key}: {secret} }}
rtc: {{ node_ip: {address}, use_external_ip: false, udp_port: 7882, tcp_port: 7881, stun_servers: ["{address}:7882"] }}
logging: {{ level: info }}
"""


class Board:
    def __init__(self, host, program):
        self.host = host
        self.folder = self.say("mktemp -d").strip()
        self.program = f"{self.folder}/kinglet"
        subprocess.run(["scp", "-q", program, f"{host}:{self.program}"], check=True)

    def say(self, command):
        return subprocess.run(["ssh", "-o", "BatchMode=yes", self.host, command], capture_output=True, text=True).stdout

    def address_of_us(self):
        """The address at which the board reaches this machine."""
        return self.say("echo $SSH_CONNECTION").split()[0]

    def join(self, url, options):
        # The keys go by the environment of one command, over ssh; they are for this one call.
        environment = f"LIVEKIT_API_KEY={KEY} LIVEKIT_API_SECRET={SECRET}"
        command = f"{environment} timeout -s INT {SECONDS + 15} {self.program} join {url} --room pi --identity board --no-aec"
        line = f"{command} --events json --stats 5 {' '.join(options)}"
        return subprocess.Popen(
            ["ssh", "-o", "BatchMode=yes", self.host, line], stdout=(FOLDER / "board.jsonl").open("w"),
            stderr=(FOLDER / "board.err").open("w"),
        )


def result(good, name, words):
    print("ok" if good else "FAILED", name, words, flush=True)
    return good


def windows(said, heard):
    """(correlation, delay in s) of each second that was said, looked for in what was heard."""
    window, reach = int(WINDOW_S * RATE), int(REACH_S * RATE)
    for start in range(SETTLED_S * RATE, len(said) - window + 1, window):
        piece = said[start : start + window]
        if (piece**2).mean() ** 0.5 < 0.01:
            continue
        score, shift = correlate(piece, heard[start : start + window + reach], reach)
        yield score, shift / RATE


def judge(said, events, desk):
    """Prints a line for each check; whether each holds."""
    heard = read_wav(FOLDER / "desk-hears.wav")
    # The recording began at `connected`, and the speech when the track was published.
    began = {event["event"]: event["t_ms"] for event in reversed(desk)}
    heard = heard[max(0, began["local_track_published"] - began["connected"]) * RATE // 1000 :]
    found = list(windows(said, heard))
    delays_ms = sorted(1000 * delay for score, delay in found if score >= CORRELATION_MIN)
    correlation = float(np.median([score for score, _ in found]))
    there_and_back = f", {np.median(delays_ms):.0f} ms there and back" if delays_ms else ""
    yield result(
        len(delays_ms) >= HEARD_MIN * len(found), "heard-through-the-air",
        f"{len(delays_ms)} of {len(found)} seconds, correlation {correlation:.2f}{there_and_back}",
    )
    spread_ms = float(np.ptp(delays_ms)) if delays_ms else math.inf
    yield result(spread_ms <= SPREAD_MS_MAX, "in-order", f"delays within {spread_ms:.0f} ms of each other")
    # The first are from before there was anything to hear.
    stats = [event for event in events if event["event"] == "stats"][1:]
    for name, limit in (("cpu_percent", CPU_PERCENT_MAX), ("rss_kb", RSS_KB_MAX), ("threads", 1)):
        most = max((event[name] for event in stats), default=math.inf)
        yield result(most <= limit, name, f"{most:g}, at most {limit}")
    xruns = {name: sum(event[name] for event in stats) for name in ("xruns_in", "xruns_out")}
    yield result(bool(stats) and not any(xruns.values()), "xruns", str(xruns))


def events_of(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def main():
    host, program, *options = sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    said, spoken = speech(SECONDS, FOLDER)
    board = Board(host, program)
    results = []
    try:
        version = board.say(f"{board.program} --version").strip()
        results.append(result(version.startswith("kinglet "), "runs", version))
        auto = re.findall(r"^auto.*", board.say(f"{board.program} devices"), re.M)
        results.append(result(bool(auto), "has-cards", " ".join(auto)))
        address = board.address_of_us()
        (FOLDER / "livekit.yaml").write_text(CONFIG.format(key=KEY, secret=SECRET, address=address))
        server = subprocess.Popen(
            [ROOT / "target/livekit-server", "--config", FOLDER / "livekit.yaml"], stdout=(FOLDER / "livekit.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        try:
            time.sleep(3)
            url = f"ws://{address}:7880"
            box = board.join(url, options)
            time.sleep(4)
            desk = subprocess.run(
                [ROOT / "target/release/kinglet", "join", url, "--room", "pi", "--identity", "desk", "--input", f"wav:{spoken}",
                 "--output", f"wav:{FOLDER}/desk-hears.wav", "--events", "json", "--duration", str(SECONDS + 3)],
                env={"LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}, capture_output=True, text=True,
            )
            box.wait(60)
            results.append(result(desk.returncode == 0 and box.returncode in (0, 124), "call", (desk.stderr + (FOLDER / "board.err").read_text())[-200:]))
        finally:
            server.kill()
            server.wait()
        (FOLDER / "desk.jsonl").write_text(desk.stdout)
        if all(results):
            results += judge(said, events_of(FOLDER / "board.jsonl"), events_of(FOLDER / "desk.jsonl"))
    finally:
        board.say(f"rm -rf {board.folder}")
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
