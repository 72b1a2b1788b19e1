"""In the guest: what becomes of an installed box over the years, one thing after the other.

The other party is a kinglet too. Times are of the virtual clock.
"""
import asyncio
import errno
import os
import pwd
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

import box  # noqa: E402
from box import Checks, answers, board, ctl, finish, run, said, state, until  # noqa: E402
from keyboard import Keyboard  # noqa: E402
from sound import RATE, tone, tone_levels, write_wav  # noqa: E402

FOLDER, PACKAGE, NEXT, NEXT_VERSION = Path(sys.argv[1]), *sys.argv[2:5]
CONFIG, EVENTS, STATE = Path("/etc/kinglet/kinglet.toml"), FOLDER / "events.jsonl", Path("/var/lib/kinglet")
GROUP = Path("/sys/fs/cgroup/system.slice/kinglet.service")
FLAT = FOLDER / "flat.raw"
KEY_PHONE, KEY_SPACE = 169, 57
BOX_HZ, LOUD_DB, SILENT_DB = 500, -40, -60
TEXT = """[server]
url = "ws://10.9.0.1:7880"
token = { key_file = "/etc/kinglet/key" }
room = "house-12"
identity = "door-{hostname}"
[audio]
input = "hw:Mic,1"
output = "hw:Speaker,0"
[call]
join = "always"
mode = "push-to-talk"
[gpio]
door = { line = "GPIO26", pulse_ms = 8000 }
[keys]
talk = { key = "KEY_SPACE", press = "talk" }
bell = { key = "KEY_PHONE", press = "call", hold = "mute" }
"""
# Takes all the memory there is.
HOG = '[on]\nanswered = ["/usr/bin/tail", "/dev/zero"]\n'

start = partial(box.start, FOLDER)


def dpkg(*arguments):
    return board("dpkg", *arguments)


def shows(what):
    return board("systemctl", "show", "-P", what, "kinglet")


def journal():
    return board("journalctl", "--no-pager", "-o", "cat", "-u", "kinglet").splitlines()


def told(name, since=0):
    return said(EVENTS, name, since)


def watch():
    """Follows the box; where it is started again, again."""
    return start("kinglet", "ctl", "--json", "watch", output=EVENTS.open("a"))


def told_of(name, words):
    return sum(words in event["text"] for event in told(name))


def stage():
    return ctl("status")["call"]["state"]


def is_installed():
    """Nothing runs and nothing is enabled that nobody has asked for."""
    dpkg("-i", PACKAGE)
    assert run("systemctl", "is-enabled", "kinglet").stdout.strip() == "disabled"
    assert run("systemctl", "is-active", "kinglet").stdout.strip() == "inactive"
    user = pwd.getpwnam("kinglet")
    groups = set(board("id", "-Gn", "kinglet").split())
    assert {"audio", "gpio", "input"} <= groups, groups
    folder = CONFIG.parent.stat()
    assert stat.S_IMODE(folder.st_mode) == 0o750 and folder.st_gid == user.pw_gid, folder
    key = CONFIG.with_name("key")
    key.write_text("".join(f"{name}={os.environ[name]}\n" for name in ("LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")))
    os.chown(key, 0, user.pw_gid)
    key.chmod(0o640)
    CONFIG.write_text(TEXT)
    return f"neither enabled nor started; its user is in {' '.join(sorted(groups))}"


async def waits_for_a_right_file():
    """Who starts it is told what is wrong; then it waits, and not a word more, until the file is right."""
    CONFIG.write_text(TEXT.replace('join = "always"', 'join = "sometimes"'))
    began = time.monotonic()
    started = run("systemctl", "enable", "--now", "kinglet")
    refused_s = time.monotonic() - began
    assert started.returncode and "line 10: call.join" in "\n".join(journal()), (started, journal())
    await until("it waits", lambda: "call.join" in shows("StatusText"))
    lines = len(journal())
    # Longer than systemd gives a start that says nothing (90 s), and a start that asks for time once.
    await asyncio.sleep(200)
    assert len(journal()) == lines and shows("NRestarts") == "1", journal()[lines:]
    assert run("systemctl", "is-active", "kinglet").stdout.strip() == "activating"
    CONFIG.write_text(TEXT.replace("room = ", "rom = "))
    await until("the other fault is told", lambda: any("server.rom" in line for line in journal()))
    # Who starts it anew is told at once.
    began = time.monotonic()
    assert run("systemctl", "restart", "kinglet").returncode
    again_s = time.monotonic() - began
    await until("it waits", lambda: "server.room" in shows("StatusText"))
    CONFIG.write_text(TEXT)
    back_s = await until("it runs", answers)
    assert run("systemctl", "is-active", "kinglet").stdout.strip() == "active"
    return (f"refused in {refused_s:.1f} and {again_s:.1f} s, {lines} lines in the journal after 200 s, "
            f"runs {back_s:.1f} s after its file was right")


async def comes_without_a_keyboard():
    """The keys are missed, once."""
    watch()
    start("ip", "netns", "exec", "server", "target/livekit-server", "--config", "tests/rig/livekit.yaml")
    await until("in the room", lambda: state() == "connected", 60)
    missing = [line for line in journal() if "no input device has the key" in line]
    assert len(missing) == 2, missing
    return missing[0].split("warning: ")[-1]


def flat():
    """The other party, which is told by lines what to do."""
    command = ["ip", "netns", "exec", "flat", "/run/flat-kinglet", "join", "ws://10.9.0.1:7880", "--room", "house-12",
               "--identity", "flat-1", "--input", "tone:800", "--output", f"raw:{FLAT}", "--muted", "--retry", "forever", "--control", "-"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            stderr=(FOLDER / "started.log").open("a"), text=True)


def order(flat, word):
    flat.stdin.write(word + "\n")
    flat.stdin.flush()


async def rings_by_key(keyboard, count):
    keyboard.press(KEY_PHONE)
    await asyncio.sleep(0.1)
    keyboard.release(KEY_PHONE)
    await until("it rings", lambda: len(told("ringing")) > count, 5)


async def talk(keyboard, is_held):
    """Until the microphone is open, or shut."""
    (keyboard.press if is_held else keyboard.release)(KEY_SPACE)
    await until("the key is heard", lambda: ctl("status")["talking"] is is_held, 5, 0.005)


async def heard_in_the_flat():
    """How loud the box's microphone is there, in decibels."""
    player = start("aplay", "-q", "-D", "hw:Mic,0", str(FOLDER / "box-says.wav"))
    await asyncio.sleep(1.5)
    player.terminate()
    player.wait()
    samples = np.fromfile(FLAT, "<i2")[-RATE // 2 :].astype(np.float32) / 32768
    return tone_levels(samples, [BOX_HZ])[BOX_HZ]


async def has_keys(flat):
    """In the packaged service, as its own user: press, hold, talk; pulled out while it is held down, and plugged in again."""
    keyboard = Keyboard(KEY_PHONE, KEY_SPACE)
    found_s = await until("the keys are found", lambda: told_of("log", "found the key") == 2, 20)
    device = board("sh", "-c", "grep -l 'keyboard of a test' /sys/class/input/event*/device/name").split("/")[4]
    assert Path(f"/dev/input/{device}").group() == "input", device
    await rings_by_key(keyboard, 0)
    order(flat, "unmute")
    await until("answered", lambda: stage() == "talking", 10)
    await talk(keyboard, True)
    held_db = await heard_in_the_flat()
    await talk(keyboard, False)
    released_db = await heard_in_the_flat()
    assert held_db > LOUD_DB and released_db < SILENT_DB, (held_db, released_db)
    await talk(keyboard, True)
    keyboard.pull_out()
    await until("what is pulled out is not held down", lambda: not ctl("status")["talking"], 5)
    await until("it is told", lambda: told_of("warning", "is disconnected; searching for it") == 2, 5)
    await asyncio.sleep(10)
    keyboard = Keyboard(KEY_PHONE, KEY_SPACE)
    again_s = await until("the keys are found again", lambda: told_of("log", "found the key") == 4, 20)
    for is_private in (True, False):
        keyboard.press(KEY_PHONE)
        await until("held", lambda: ctl("status")["privacy"] is is_private, 5)
        keyboard.release(KEY_PHONE)
    await talk(keyboard, True)
    await talk(keyboard, False)
    assert shows("NRestarts") == "1" and stage() == "talking", stage()
    return (f"found {found_s:.1f} s after they came, and {again_s:.1f} s; "
            f"heard at {held_db:.0f} dB while the key is held, {released_db:.0f} after")


def number(name):
    """What the kernel says of the service's memory, in MiB."""
    return int((GROUP / name).read_text()) / 2**20


async def is_bounded(flat):
    """Memory, in a call with echo cancellation: what is touched stays, and there is a most. A program that takes all of it is
    killed, and the box talks on."""
    [locked] = [line for line in Path(f"/proc/{shows('MainPID')}/status").read_text().splitlines() if line.startswith("VmLck")]
    assert int(locked.split()[1]) > 0
    peak = number("memory.peak")
    most = number("memory.max")
    assert peak < 40 and most == 256, (peak, most)
    order(flat, "mute")
    ctl("hangup")
    await until("it is over", lambda: stage() == "idle", 10)
    CONFIG.write_text(TEXT + HOG)
    board("systemctl", "reload", "kinglet")
    ctl("stats")
    ctl("ring")
    order(flat, "unmute")
    await until("answered", lambda: stage() == "talking", 10)
    await until("the program is killed", lambda: told_of("warning", "/usr/bin/tail"), 40)
    [warning] = [event["text"] for event in told("warning") if "/usr/bin/tail" in event["text"]]
    await asyncio.sleep(2)
    kills = int(dict(line.split() for line in (GROUP / "memory.events").read_text().splitlines())["oom_kill"])
    stats = ctl("stats")
    assert kills == 1 and stage() == "talking" and shows("NRestarts") == "1", (kills, stage())
    assert stats["xruns_in"] == stats["xruns_out"] == 0, stats
    return f"{peak:.0f} of {most:.0f} MiB in a call, {locked.split()[1]} kB locked; then: {warning}, 0 xruns"


def opens(path, flags):
    """Whether the service's devices are open to a process in its group, which is root here."""
    command = ("import os, sys; open(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
               "try: os.open(sys.argv[2], int(sys.argv[3]))\n"
               "except OSError as error: sys.exit(error.errno)")
    return run(sys.executable, "-c", command, str(GROUP), path, str(flags)).returncode


def has_its_devices_only():
    """Sound cards, lines and keys; nothing else, whoever asks. Keys are read only."""
    for path, flags, expected in (
        ("/dev/snd/controlC0", os.O_RDWR, 0),
        ("/dev/gpiochip0", os.O_RDWR, 0),
        ("/dev/input/event0", os.O_RDONLY, 0),
        ("/dev/null", os.O_RDWR, 0),
        ("/dev/input/event0", os.O_RDWR, errno.EPERM),
        ("/dev/uinput", os.O_WRONLY, errno.EPERM),
        ("/dev/kmsg", os.O_RDONLY, errno.EPERM),
    ):
        assert (got := opens(path, flags)) == expected, (path, flags, got)
    return "sound, lines, keys to be read; not the kernel's log, no keyboard of its own"


async def is_updated(flat):
    """In a call, and then in a pulse: the new version waits for the end of both, and takes its place in the room, muted by
    its owner."""
    ctl("mute")
    await asyncio.sleep(1)
    before, text = shows("MainPID"), CONFIG.read_text()
    assert stage() == "talking"
    dpkg("-i", NEXT)
    assert board("dpkg-query", "-W", "-f", "${Version}", "kinglet") == NEXT_VERSION
    await asyncio.sleep(20)
    assert shows("MainPID") == before and stage() == "talking", stage()
    ctl("pulse", "door")
    ctl("hangup")
    await asyncio.sleep(6)
    level = run("rig", "level", "GPIO26").stdout.strip()
    assert shows("MainPID") == before and stage() == "idle" and level == "1", (stage(), level)
    began = time.monotonic()
    await until("the new one runs", lambda: shows("MainPID") not in (before, "0"), 20)
    await until("in the room", lambda: state() == "connected", 20)
    back_s = time.monotonic() - began
    assert run("rig", "level", "GPIO26").stdout.strip() == "0"
    assert run("systemctl", "is-active", "kinglet-update").stdout.strip() == "inactive"
    assert ctl("status")["privacy"] is True and CONFIG.read_text() == text
    return f"{NEXT_VERSION} waits for the end of a call and a pulse, is in the room {back_s:.1f} s after that, muted as before"


async def is_downgraded():
    """The version before is installed again, while nothing goes on."""
    order_of = shows("MainPID")
    dpkg("-i", PACKAGE)
    await until("the old one runs", lambda: shows("MainPID") not in (order_of, "0"), 60)
    await until("in the room", lambda: state() == "connected", 20)
    assert ctl("status")["privacy"] is True and (STATE / "muted").read_text() == "yes\n"
    ctl("ring")
    await until("it rings", lambda: stage() == "ringing")
    ctl("hangup")
    return "muted as before; it rings"


def is_removed():
    """It stops; what people wrote and what it remembers stays."""
    dpkg("-r", "kinglet")
    assert run("systemctl", "is-active", "kinglet").stdout.strip() == "inactive" and not Path("/usr/bin/kinglet").exists()
    assert CONFIG.exists() and (STATE / "muted").read_text() == "yes\n"
    assert not Path("/run/kinglet").exists()
    return "its file and its memory stay"


async def comes_back():
    """Installed again: it was enabled, and is."""
    dpkg("-i", PACKAGE)
    await until("in the room", lambda: state() == "connected", 20)
    assert ctl("status")["privacy"] is True
    return "in the room, and muted as before"


def is_purged():
    dpkg("--purge", "kinglet")
    left = [str(path) for path in (CONFIG.parent, STATE, Path("/run/kinglet"), Path("/usr/share/kinglet")) if path.exists()]
    left += board("sh", "-c", "find /etc/systemd /lib/systemd/system /lib/udev/rules.d /usr/lib -name '*kinglet*'").split()
    assert not left, left
    assert "not-found" in board("systemctl", "show", "-P", "LoadState", "kinglet")
    return f"nothing is left but its user, {pwd.getpwnam('kinglet').pw_uid}"


async def main():
    check = Checks("upkeep")
    write_wav(FOLDER / "box-says.wav", tone(BOX_HZ, 4))
    EVENTS.write_text("")
    await check("installed", is_installed)
    await check("waits-for-a-right-file", waits_for_a_right_file)
    await check("comes-without-a-keyboard", comes_without_a_keyboard)
    telephone = flat()
    await check("keys", has_keys, telephone)
    await check("is-bounded", is_bounded, telephone)
    await check("devices", has_its_devices_only)
    await check("updated", is_updated, telephone)
    await check("downgraded", is_downgraded)
    await check("removed", is_removed)
    await check("comes-back", comes_back)
    await check("purged", is_purged)
    return 1 if check.failed else 0


finish(asyncio.run(main()))
