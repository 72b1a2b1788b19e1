"""In the guest: what happens to a box on a wall, one thing after the other, and how long until both hear each other again.

The other party is a kinglet too, which keeps what it hears in a file without a header. Times are of the virtual clock.
"""
import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

import box  # noqa: E402
from box import Checks, answers, board, ctl, finish, said, state, until  # noqa: E402
from sound import RATE, tone, tone_levels, write_wav  # noqa: E402

FOLDER = Path(sys.argv[1])
CONFIG, HOSTS = Path("/etc/kinglet/kinglet.toml"), Path("/etc/hosts")
EVENTS, FLAT = FOLDER / "events.jsonl", FOLDER / "flat.raw"
# What each says.
BOX_HZ, FLAT_HZ = 500, 800
LOUD_DB = -30


start = partial(box.start, FOLDER)


def serve():
    return start("ip", "netns", "exec", "server", "target/livekit-server", "--config", "tests/rig/livekit.yaml")


def told(name="warning", since=0):
    return said(EVENTS, name, since)


def watch():
    """Follows the box; where it is started again, again."""
    return start("kinglet", "ctl", "--json", "watch", output=EVENTS.open("a"))


def restarts():
    return int(board("systemctl", "show", "-P", "NRestarts", "kinglet"))


async def in_room(within_s=60):
    return await until("in the room", lambda: state() == "connected", within_s)


async def heard_at_the_box(seconds=1.5):
    """How loud the other party is at the loudspeaker's card."""
    command = ["arecord", "-q", "-D", "hw:Speaker,1", "-t", "raw", "-f", "S16_LE", "-r", "48000", "-c", "1"]
    with (FOLDER / "box.raw").open("wb") as file:
        recorder = start(*command, output=file)
        await asyncio.sleep(seconds)
        recorder.terminate()
        recorder.wait()
    samples = np.fromfile(FOLDER / "box.raw", "<i2").astype(np.float32) / 32768
    return tone_levels(samples[-RATE // 2 :], [FLAT_HZ])[FLAT_HZ] if len(samples) >= RATE // 2 else -127


async def heard_in_the_flat(seconds=1.5):
    """How loud the box's microphone is in the room."""
    player = start("aplay", "-q", "-D", "hw:Mic,0", str(FOLDER / "box-says.wav"))
    await asyncio.sleep(seconds)
    samples = np.fromfile(FLAT, "<i2")[-RATE // 2 :].astype(np.float32) / 32768
    player.terminate()
    player.wait()
    return tone_levels(samples, [BOX_HZ])[BOX_HZ]


async def hear_each_other():
    """In decibels: at the box, in the flat."""
    levels = [await heard_at_the_box(), await heard_in_the_flat()]
    assert min(levels) > LOUD_DB, levels
    return "heard at {:.0f} and {:.0f} dB".format(*levels)


async def boots_without_anything():
    """Neither cards, nor network, nor name, nor server, and a clock at 1970: it is ready, and says what it waits for."""
    # In May: the server's clock is the same one, and its certificate begins a month earlier, which must not be before 1970.
    board("date", "-s", "@12000000")
    for card in ("Mic", "Speaker"):
        board("rig", "unplug", card)
    board("ip", "link", "set", "rig", "down")
    began = time.monotonic()
    board("systemctl", "start", "kinglet")
    ready_ms = 1000 * (time.monotonic() - began)
    assert answers()
    watch()
    await asyncio.sleep(5)
    assert state() != "connected"
    return f"ready after {ready_ms:.0f} ms; it is {board('date', '+%Y')}"


async def one_after_the_other():
    """Network, name, server, each after some time; each reason is told once."""
    board("ip", "link", "set", "rig", "up")
    await asyncio.sleep(10)
    HOSTS.write_text(HOSTS.read_text() + "10.9.0.1 intercom.test\n")
    await until("the name is found", lambda: any("refused" in event["text"] for event in told()))
    await asyncio.sleep(10)
    serve()
    back_s = await in_room()
    reasons = [event["text"] for event in told() if "not in the room" in event["text"]]
    assert len(reasons) == len(set(reasons)) and len(reasons) <= 3, reasons
    return f"in the room {back_s:.1f} s after the server was started, in {board('date', '+%Y')}; told: {len(reasons)} reasons"


async def cards_a_minute_late():
    """As where the driver's module is loaded late."""
    start("ip", "netns", "exec", "flat", "kinglet", "join", "ws://10.9.0.1:7880", "--room", "house-12", "--identity", "flat-1",
          "--input", f"tone:{FLAT_HZ}", "--output", f"raw:{FLAT}", "--retry", "forever", "--events", f"json:{FOLDER}/flat.jsonl")
    await asyncio.sleep(40)
    count = len(told("audio_device"))
    began = time.monotonic()
    for card in ("Mic", "Speaker"):
        board("rig", "plug", card)
    await until("both cards are open", lambda: sum("open" in event["state"] for event in told("audio_device", count)) >= 2)
    open_ms = 1000 * (time.monotonic() - began)
    assert restarts() == 0
    return f"open {open_ms:.0f} ms after they came; {await hear_each_other()}"


async def time_is_told():
    """As by NTP: from 1970 to now, with the box in the room."""
    count = len(told("reconnecting"))
    board("date", "-s", "@1795000000")
    await asyncio.sleep(20)
    assert not told("reconnecting", count) and state() == "connected"
    return f"it is {board('date', '+%Y')}, in the same session; {await hear_each_other()}"


async def card_is_pulled():
    """Both, for five seconds, in a call."""
    count = len(told("audio_device"))
    for card in ("Mic", "Speaker"):
        board("rig", "unplug", card)
    await asyncio.sleep(5)
    began = time.monotonic()
    for card in ("Mic", "Speaker"):
        board("rig", "plug", card)
    await until("both are open again", lambda: sum("open" in event["state"] for event in told("audio_device", count)) >= 2)
    open_ms = 1000 * (time.monotonic() - began)
    assert restarts() == 0 and state() == "connected"
    return f"open {open_ms:.0f} ms after they came; {await hear_each_other()}"


async def two_with_one_identity():
    """They take the room from each other, and ever more seldom."""
    twin = FOLDER / "twin.toml"
    twin.write_text(CONFIG.read_text().replace("hw:Mic,1", "none").replace("hw:Speaker,0", "none")
                    + f'[control]\nsocket = "{FOLDER}/twin"\n')
    count = len(told("disconnected"))
    other = start("ip", "netns", "exec", "flat", "kinglet", "run", "--config", str(twin), output=(FOLDER / "twin.log").open("w"))
    await until("it was removed", lambda: told("disconnected", count))
    [removed] = told("disconnected", count)
    assert removed["reason"] == "DUPLICATE_IDENTITY" and removed["retry_in_ms"] > 40_000, removed
    await asyncio.sleep(200)
    times = len(told("disconnected", count))
    assert 1 <= times <= 6 and restarts() == 0, times
    other.terminate()
    other.wait()
    if state() != "connected":
        ctl("reconnect")
        await in_room()
    return f"removed {times} times in 200 s, waits {removed['retry_in_ms'] / 1000:.0f} s first; {await hear_each_other()}"


async def is_reloaded():
    """A good file is taken in the room; a bad one is refused with line and key, and the old one holds."""
    count, good = len(told("disconnected")), CONFIG.read_text()
    CONFIG.write_text(good.replace('[call]', 'volume = 90\n[call]'))
    board("systemctl", "reload", "kinglet")
    CONFIG.write_text(good.replace('mode = "always"', 'mode = "allways"'))
    done = subprocess.run(["systemctl", "reload", "kinglet"], capture_output=True, text=True)
    assert done.returncode, "a bad file was taken"
    journal = board("journalctl", "--no-pager", "-o", "cat", "-u", "kinglet", "-n", "20")
    [line] = [line for line in journal.splitlines() if "the configuration stays as it is" in line]
    assert "line 12: call.mode" in line, line
    CONFIG.write_text(good)
    assert restarts() == 0 and state() == "connected" and not told("disconnected", count)
    return f"in the room; {await hear_each_other()}; refused: {line}"


def connect():
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    # Where more wait to be served than the kernel keeps, this one is sent away by it.
    with contextlib.suppress(OSError):
        client.connect("/run/kinglet/control")
    return client


async def the_socket_is_flooded():
    """Garbage and questions by a hundred clients at a time for a second, and watchers that do not read: not a sample is lost."""
    await hear_each_other()
    ctl("stats")
    ends_at, times = time.monotonic() + 1, 0
    watchers = [connect() for _ in range(3)]
    for watcher in watchers:
        watcher.send(b"watch\n")
    while time.monotonic() < ends_at:
        clients = [connect() for _ in range(100)]
        for number, client in enumerate(clients):
            with contextlib.suppress(OSError):
                client.send(os.urandom(2000) if number % 2 else b"status\n" * 500)
        await asyncio.sleep(0.02)
        for client in clients:
            client.close()
        times += 1
    for watcher in watchers:
        watcher.close()
    await until("it answers again", answers)
    stats = ctl("stats")
    assert stats["xruns_in"] == stats["xruns_out"] == 0 and restarts() == 0, stats
    return f"{times} times a hundred clients, 0 xruns; {await hear_each_other()}"


def line_in_use():
    """A GPIO line that another program holds: it is named, and by whom it is held."""
    board("rig", "lines", "GPIO23")
    one, other = FOLDER / "one.toml", FOLDER / "other.toml"
    for config in (one, other):
        text = CONFIG.read_text().replace("hw:Mic,1", "none").replace("hw:Speaker,0", "none")
        text += f'[gpio]\nbell = {{ line = "GPIO23", press = "ring" }}\n[control]\nsocket = "{config}.socket"\n'
        config.write_text(text)
    holder = start("ip", "netns", "exec", "flat", "kinglet", "run", "--config", str(one))
    while not Path(f"{one}.socket").exists():
        time.sleep(0.1)
    done = subprocess.run(["kinglet", "run", "--config", str(other)], capture_output=True, text=True, timeout=20)
    holder.terminate()
    holder.wait()
    # The server of this test has no TLS, which is a warning.
    *warnings, line = done.stderr.strip().splitlines()
    assert len(warnings) == 1 and "server.url: without TLS" in warnings[0], warnings
    assert done.returncode == 3 and "GPIO23 is in use by" in line, (done.returncode, line)
    return f"status {done.returncode}, {line}"


async def main():
    check = Checks("troubles")
    write_wav(FOLDER / "box-says.wav", tone(BOX_HZ, 4))
    EVENTS.write_text("")
    await check("boots-without-anything", boots_without_anything)
    await check("one-after-the-other", one_after_the_other)
    await check("cards-late", cards_a_minute_late)
    await check("time-is-told", time_is_told)
    await check("card-pulled", card_is_pulled)
    await check("two-of-one-identity", two_with_one_identity)
    await check("reload", is_reloaded)
    await check("socket", the_socket_is_flooded)
    await check("line-in-use", line_in_use)
    return 1 if check.failed else 0


finish(asyncio.run(main()))
