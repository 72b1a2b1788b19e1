"""What a call costs, for kinglet, the official Python SDK, and baresip (a softphone in C) in the same run.
`tests/bench/call` prepares and runs it.

    start-up   one after another joins a room in which a kinglet speaks: median of RUNS
    steady     kinglet a ⇄ kinglet b, SDK ⇄ kinglet c, and baresip ⇄ baresip without a server, at the same time; each
               says and hears one voice
    counted    kinglet a ⇄ kinglet b once more, a built with its allocations counted
"""
import json
import os
import re
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/live"))

import usage  # noqa: E402
from baresip import Baresip  # noqa: E402
from member import Member  # noqa: E402
from server import Server, token  # noqa: E402
from sniffer import Sniffer  # noqa: E402
from sound import RATE, read_wav, speech  # noqa: E402

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = Path(os.environ.get("KINGLET_BINARY", TARGET / "release/kinglet"))
COUNTED = TARGET / "debug/examples/counted"
FOLDER = ROOT / "target/bench"
RUNS = 9
RUN_S = 1.5
WARM_UP_S = 5
STEADY_S = 20
AFTER_S = 5
PHONE_START_S = 1
PLACES_SHOWN = 5


class Bench:
    def __init__(self):
        FOLDER.mkdir(parents=True, exist_ok=True)
        _, self.spoken = speech(STEADY_S, FOLDER)
        self.server = Server(FOLDER)
        config = (FOLDER / "livekit.yaml").read_text()
        self.sniffer = Sniffer(int(re.search(r"udp_port: (\d+)", config)[1]))
        self.members = []

    def kinglet(self, room, identity, *audio, binary=BINARY, **environment):
        who = ["--room", room, "--identity", identity]
        return self._start(identity, [binary, "join", self.server.url, *who, "--events", "json", *audio], **environment)

    def speaker(self, room, identity, **options):
        """A kinglet that says the speech again and again, and writes down what it hears."""
        audio = ["--input", f"wav:{self.spoken}", "--loop", "--output", f"wav:{heard(identity)}"]
        return self.kinglet(room, identity, *audio, **options)

    def sdk(self, room, identity):
        program = Path(__file__).with_name("sdk_peer.py")
        command = [sys.executable, program, self.server.url, self.spoken, heard(identity)]
        return self._start(identity, command, LIVEKIT_TOKEN=token(room, identity))

    def phones(self, seconds):
        """Two baresips that call each other: who is called, who calls."""
        callee = Baresip(FOLDER, "callee", self.spoken, seconds + PHONE_START_S)
        self.members.append(callee)
        time.sleep(PHONE_START_S)
        caller = Baresip(FOLDER, "caller", self.spoken, seconds, callee)
        self.members.append(caller)
        return callee, caller

    def close(self):
        for member in self.members:
            member.kill()
        self.server.stop()

    def _start(self, identity, command, **environment):
        member = Member(command, FOLDER / f"{identity}.err", **environment)
        self.members.append(member)
        return member

    def start_up(self, kind):
        """One joins a room in which somebody speaks: times in ms since its process was started."""
        member = getattr(self, kind)("start-up", "comer")
        _, connected_s = member.wait_for("connected")
        if kind == "sdk":
            times = {"imported": member.wait_for("imported")[1], "sound": member.wait_for("first_sound")[1]}
        time.sleep(RUN_S)
        first_out_s, first_in_s = self.sniffer.after(member.began)
        member.end()
        if kind == "speaker":
            # The recording begins at `connected`, and is exactly zero until somebody is heard.
            samples = read_wav(heard("comer"))
            sounding = samples.nonzero()[0]
            assert len(sounding), "nothing was heard"
            times = {"sound": connected_s + sounding[0] / RATE}
        times |= {"connected": connected_s, "first_out": first_out_s, "first_in": first_in_s}
        return {name: 1000 * value for name, value in times.items() if value is not None}

    def start_ups(self):
        tone = self.kinglet("start-up", "host", "--input", "tone:440", "--output", "none")
        tone.wait_for("local_track_published")
        runs = {"speaker": [], "sdk": []}
        for _ in range(RUNS):
            for kind, times in runs.items():
                times.append(self.start_up(kind))
        tone.end()
        return runs

    def steady(self):
        pairs = {"a": self.speaker("steady-1", "a"), "b": self.speaker("steady-1", "b")}
        pairs |= {"sdk": self.sdk("steady-2", "sdk"), "c": self.speaker("steady-2", "c")}
        for member in pairs.values():
            member.wait_for("connected")
        callee, caller = self.phones(WARM_UP_S + STEADY_S + AFTER_S)
        measured = pairs | {"baresip": caller}
        time.sleep(WARM_UP_S)
        before = {name: usage.Snapshot(member.pid) for name, member in measured.items()}
        time.sleep(STEADY_S)
        after = {name: usage.Snapshot(member.pid) for name, member in measured.items()}
        figures = {
            name: usage.between(before[name], after[name]) | usage.memory(member.pid)
            for name, member in measured.items()
        }
        caller.wait(30)
        callee.wait(30)
        for name, member in pairs.items():
            member.end()
            assert read_wav(heard(name))[-5 * RATE :].any(), f"{name} heard nothing"
        return figures

    def counted(self):
        report = FOLDER / "allocations.json"
        times = {"COUNT_FROM_S": str(WARM_UP_S), "COUNT_S": str(STEADY_S), "COUNT_REPORT": str(report)}
        report.unlink(missing_ok=True)
        other = self.speaker("counted", "b")
        counted = self.speaker("counted", "a", binary=COUNTED, **times)
        counted.wait_for("connected")
        deadline = time.monotonic() + WARM_UP_S + STEADY_S + 60
        while not report.exists():
            assert time.monotonic() < deadline, "no report of the allocations"
            time.sleep(0.5)
        counted.end()
        other.end()
        return json.loads(report.read_text())


def heard(identity):
    return FOLDER / f"heard-by-{identity}.wav"


def spread(times):
    """Median, and the shortest and longest."""
    return f"{statistics.median(times):.0f} ({min(times):.0f}-{max(times):.0f}) ms" if times else "-"


def sdk_library():
    import livekit.rtc

    return max(Path(livekit.rtc.__file__).parent.rglob("*.so"), key=lambda path: path.stat().st_size)


def table(start_ups, figures, allocations):
    parties = ours, sdk, phone = figures["a"], figures["sdk"], figures["baresip"]
    joins = start_ups["speaker"], start_ups["sdk"]

    def milliseconds(name):
        return tuple(spread([run[name] for run in runs if name in run]) for runs in joins)

    def megabytes(name):
        return tuple(f"{one[name] / 1024:.1f} MB" for one in parties)

    sizes = [path.stat().st_size / 1e6 for path in (BINARY, sdk_library())]
    rows = [
        ("program file", f"{sizes[0]:.2f} MB", f"{sizes[1]:.1f} MB", "-", "kinglet stripped; the SDK's one shared library"),
        ("resident memory", *megabytes("rss_kb"), "smaps_rollup Rss; shared program text included"),
        ("private memory", *megabytes("private_kb"), "Private_Clean + Private_Dirty"),
        ("  of that, anonymous", *megabytes("anonymous_kb"), "heap and stacks"),
        ("proportional memory", *megabytes("pss_kb"), "Pss; kinglet's text is shared by three here"),
        ("threads", *(one["threads"] for one in parties), "/proc/PID/task"),
        ("CPU", *(f"{one['cpu_percent']:.1f} %" for one in parties), "utime + stime, of one core"),
        ("  of that, kernel", *(f"{one['kernel_percent']:.1f} %" for one in parties), "stime"),
        ("  of kinglet's", *(f"{one['cpu_percent'] / ours['cpu_percent']:.2f}" for one in parties), "ratio"),
        ("wake-ups", *(f"{one['wake_ups_per_s']:.0f} /s" for one in parties), "voluntary switches, all threads"),
        ("allocations, ours", f"{allocations['ours_per_s']:.1f} /s", "-", "-", "debug build, 50 packets/s each way"),
        ("allocations, str0m's", f"{allocations['str0m_per_s']:.1f} /s", "-", "-", "the same run"),
        ("start to connected", *milliseconds("connected"), "-", "process start to the event's line on stdout"),
        ("  of that, imports", "-", milliseconds("imported")[1], "-", "python's start and the SDK's"),
        ("start to first packet out", *milliseconds("first_out"), "-", "first RTP packet on loopback, kernel's time stamp"),
        ("start to first packet in", *milliseconds("first_in"), "-", "the same, from the server"),
        ("start to first sound", *milliseconds("sound"), "-", "first sample that is not zero; see below"),
    ]
    yield f"{'':27}{'kinglet':>18}{'Python SDK':>18}{'baresip':>10}   how it is measured"
    for name, *values, how in rows:
        yield f"{name:27}{values[0]:>18}{values[1]:>18}{values[2]:>10}   {how}"


def main():
    bench = Bench()
    try:
        print(f"start-up: {RUNS} joins each", flush=True)
        start_ups = bench.start_ups()
        print(f"steady call: {WARM_UP_S} s to warm up, {STEADY_S} s measured", flush=True)
        figures = bench.steady()
        print("the same with allocations counted", flush=True)
        allocations = bench.counted()
    finally:
        bench.close()
    result = {"start_up_ms": start_ups, "steady": figures, "allocations": allocations}
    (FOLDER / "call.json").write_text(json.dumps(result, indent=1))

    print()
    print("\n".join(table(start_ups, figures, allocations)))
    print(
        f"""
Start-up is the median (and range) of {RUNS} joins, each into a room in which a kinglet says a tone; steady is
{STEADY_S} s in which each says and hears one voice (Opus, 20 ms packets, files in and out). First sound: kinglet's
recording begins at `connected`, so it is that time and the recording's zeros; the SDK's is the time at which its
audio stream gives the first frame with sound.
Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."""
    )
    for owner, name in (("ours", "Ours"), ("str0m", "str0m's")):
        print(f"\n{name}, by place (count in {allocations['seconds']:.0f} s):")
        for place in allocations[owner][:PLACES_SHOWN]:
            print(f"{place['count']:8}  " + "\n          ".join(place["frames"]))


if __name__ == "__main__":
    main()
