"""In the guest, in the flat's network: the box at the door is installed; it boots, rings, talks, opens, and survives.

The official SDK is the telephone in the flat. What is done to the board (lines, cards, the service) is done in the
guest's own namespaces, outside of the flat's network. Times are of the virtual clock.
"""
import asyncio
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

from box import Checks, answers, ctl, said, until  # noqa: E402
from livekit import rtc  # noqa: E402
from peer import Peer  # noqa: E402
from sound import read_wav, tone, tone_levels, write_wav  # noqa: E402

FOLDER = Path(sys.argv[1])
PIECE = 960    # 20 ms
PULSE_S = 3    # as the README's door has it
URL, ROOM, BOX = "ws://10.9.0.1:7880", "house-12", "door-board"
# Where door.sh is: the guest's own network, and its files as they are there.
OUTSIDE = ["nsenter", "-t", sys.argv[2], "-m", "-n", "-r", "-w"]


def board(*command, check=True):
    """What a command on the board says."""
    done = subprocess.run([*OUTSIDE, *command], capture_output=True, text=True)
    if check and done.returncode:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def start(*command):
    return subprocess.Popen([*OUTSIDE, *command], stdout=subprocess.DEVNULL, stderr=(FOLDER / "started.log").open("a"))


def level(line):
    return int((LINES[line] / "value").read_text())


async def press(seconds=0.2):
    (LINES["GPIO23"] / "pull").write_text("pull-down")
    await asyncio.sleep(seconds)
    (LINES["GPIO23"] / "pull").write_text("pull-up")


# As the kernel shows them, everywhere.
LINES = {name: Path(board("rig", "where", name)) for name in ("GPIO26", "GPIO23", "GPIO24")}


def stage():
    return ctl("status")["call"]["state"]


def told(name, since=0):
    return said(FOLDER / "events.jsonl", name, since)


async def event(name, since=0, within_s=40):
    await until(name, lambda: told(name, since), within_s)
    return told(name, since)[0]


def journal(since):
    """Lines of the box since then: when, in seconds of the kernel's clock, and what."""
    lines = board("journalctl", "--no-pager", "-o", "short-monotonic", "-u", "kinglet").splitlines()
    stamped = [line[1:].split("]", 1) for line in lines if line.startswith("[")]
    return [(float(at), text) for at, text in stamped if float(at) >= since]


def steps(began, **moments):
    """How long after `began` each of them was, in milliseconds, one after the other."""
    return ", ".join(f"{name.replace('_', ' ')} {1000 * (at - began):.0f}" for name, at in moments.items())


def first(lines, words):
    return next(at for at, text in lines if words in text)


def begins():
    """The box starts before its network and its server are there, and serves its buttons."""
    board("ip", "link", "set", "rig", "down")
    began = time.monotonic()
    board("systemctl", "start", "kinglet")
    assert board("systemctl", "is-active", "kinglet") == "active"
    assert "kinglet" in board("ps", "-o", "user=", "-C", "kinglet")
    shown = [board("systemctl", "show", "-P", f"{what}TimestampMonotonic", "kinglet")
             for what in ("InactiveExit", "ExecMainStart", "ActiveEnter")]
    asked, process, ready = (int(usec) / 1e6 for usec in shown)
    assert ready - asked < 1, shown
    return f"without a network; ms: {steps(asked, process=max(process, asked), cards_open=first(journal(began), 'open'), ready=ready)}"


async def rings_without_a_network():
    """It says once what it waits for, and goes on when network and server are there, one after the other."""
    await press()
    await until("ringing", lambda: stage() == "ringing")
    await asyncio.sleep(3)
    board("ip", "link", "set", "rig", "up")
    await asyncio.sleep(3)
    server = ["ip", "netns", "exec", "server", "target/livekit-server", "--config", "tests/rig/livekit.yaml"]
    start(*server)
    back_s = await until("in the room", lambda: ctl("status")["state"] == "connected")
    await press()
    await until("hung up", lambda: stage() == "idle")
    reasons = [event["text"] for event in told("warning")]
    assert reasons and len(reasons) == len(set(reasons)), reasons
    return f"in the room {back_s:.1f} s after the server was started; told once each: {'; '.join(reasons)}"


async def talks(flat):
    """Bell, answer, both hear each other by the cards, lamp, hang-up."""
    await until("out of the room", lambda: not flat.remote(BOX))
    count = len(told("call_answered"))
    # There is talking at the door from the first moment on. Short: a tone that lasts is taken for noise, and not sent.
    write_wav(FOLDER / "door-says.wav", tone(500, 3))
    talking = start("aplay", "-q", "-D", "hw:Mic,0", str(FOLDER / "door-says.wav"))
    await asyncio.sleep(0.5)
    pressed = time.monotonic()
    await press()
    await until("the program of [on] has run", Path("/var/lib/kinglet/rang").exists)
    await flat.wait_for("participant_connected", BOX, after=pressed)
    await flat.hears_again(BOX, pressed)
    seen, heard = flat.times("participant_connected", BOX)[-1], next(at for at in flat.loud_at[BOX] if at > pressed)
    lines = journal(pressed)
    ring = steps(pressed, rings=first(lines, "it rings"), in_the_room=first(lines, "connected to room"), seen=seen, heard=heard)
    await asyncio.sleep(1)
    levels = {level("GPIO24") for _ in range(20) if not time.sleep(0.06)}
    assert levels == {0, 1}, "the lamp flashes while it rings"
    recording = FOLDER / "door-hears.wav"
    recorder = start("arecord", "-q", "-D", "hw:Speaker,1", "-t", "wav", "-f", "S16_LE", "-r", "48000", "-c", "1",
                     "-d", "3", str(recording))
    speaks = time.monotonic()
    flat.speak_on(tone(800, 5))
    answered = await event("call_answered", count)
    assert answered["identity"] == "flat-1", answered
    await until("the first words are said", lambda: talking.poll() is not None, 10)
    start("aplay", "-q", "-D", "hw:Mic,0", str(FOLDER / "door-says.wav"))
    # Whoever waits otherwise keeps the flat from speaking on.
    await until("recorded", lambda: recorder.poll() is not None, 20)
    assert level("GPIO24") == 1, "the lamp is lit"
    sound = read_wav(recording)
    at_the_door = tone_levels(sound[-48_000:], [800])[800]
    pieces = range(0, len(sound) - PIECE, PIECE)
    loud = next(at for at in pieces if tone_levels(sound[at : at + PIECE], [800])[800] > -30)
    answer = steps(speaks, answered=first(journal(speaks), "a call with"), heard=speaks + loud / 48_000)
    in_the_flat = tone_levels(flat.sound_of(BOX)[-48_000:], [500])[500]
    assert at_the_door > -30 and in_the_flat > -30, (at_the_door, in_the_flat)
    return (f"at the door {at_the_door:.0f} dB, in the flat {in_the_flat:.0f} dB; ms from the bell: {ring}; "
            f"from the flat's first word: {answer}")


async def opens(flat, stranger):
    """Once for each wish of those on the list, by RPC and by DTMF; for as long as it is set. By no wrong code."""
    async def dial(peer, digits):
        for digit in digits:
            await peer.room.local_participant.publish_dtmf(code=int(digit), digit=digit)

    async def wish(peer):
        return await peer.room.local_participant.perform_rpc(
            destination_identity=BOX, method="open", payload="", response_timeout=10)

    try:
        await wish(stranger)
        raise AssertionError("a stranger opened the door")
    except rtc.RpcError as refused:
        assert refused.code == 1500, refused
    await dial(stranger, "4711")
    await dial(flat, "4712")
    await asyncio.sleep(0.5)
    assert level("GPIO26") == 0, "neither a stranger's digits nor a wrong code open anything"
    refused = {(event["identity"], event["path"], event["reason"]) for event in told("output_refused")}
    assert refused == {("stranger", "rpc", "not_allowed"), ("stranger", "dtmf", "not_allowed"),
                       ("flat-1", "dtmf", "wrong_code")}, refused
    lengths = []
    for by, ask in (("rpc", lambda: wish(flat)),
                    ("dtmf", lambda: dial(flat, "4711"))):
        await ask()
        await until(f"driven by {by}", lambda: level("GPIO26") == 1, 5, 0.02)
        lengths.append(await until("at rest", lambda: level("GPIO26") == 0, 5, 0.02))
        assert 2.7 < lengths[-1] < 3.3, lengths
        await asyncio.sleep(1)
        assert level("GPIO26") == 0, "once"
    pulses = [(event["name"], event["by"]) for event in told("output_pulsed")]
    assert len(pulses) == 2 and all("flat-1" in by for _, by in pulses), pulses
    return f"driven for {lengths[0]:.2f} and {lengths[1]:.2f} s"


async def hangs_up(flat):
    count = len(told("call_ended"))
    await press()
    ended = await event("call_ended", count)
    await flat.wait_for("participant_disconnected", BOX)
    assert level("GPIO24") == 0
    return f"{ended['reason']} after {ended['seconds']} s"


async def is_missed(flat):
    """Nobody answers."""
    for task in flat.tasks[:1]:
        task.cancel()
    await flat.room.local_participant.unpublish_track(flat.publication.sid)
    await until("out of the room", lambda: not flat.remote(BOX))
    count = len(told("call_missed"))
    await press()
    missed = await event("call_missed", count)
    assert missed["reason"] == "timeout" and missed["seconds"] == 6, missed
    return "after 6 s"


async def ends_by_itself(flat):
    """The longest call."""
    await until("out of the room", lambda: not flat.remote(BOX))
    count = len(told("call_ended"))
    await press()
    await until("ringing", lambda: stage() == "ringing")
    flat.speak_on(tone(800, 5))
    ended = await event("call_ended", count)
    assert 19 <= ended["seconds"] <= 21, ended
    return f"{ended['reason']} after {ended['seconds']} s"


async def in_a_pulse(*kill):
    """What `systemctl kill` does to the service at a tenth of a pulse; after how long the door rests. This board's chip keeps
    the level of a line that is released, as those of Raspberry Pi OS do."""
    ctl("pulse", "door")
    await until("driven", lambda: level("GPIO26") == 1, 5, 0.02)
    driven = time.monotonic()
    await asyncio.sleep(0.1 * PULSE_S)
    board("systemctl", "kill", *kill, "kinglet")
    await until("at rest", lambda: level("GPIO26") == 0, PULSE_S + 2, 0.01)
    return time.monotonic() - driven


async def is_killed():
    """While it drives the door, and is muted: the door rests at once, and it is mute when it is back."""
    ctl("mute")
    await asyncio.sleep(1)
    rests_s = await in_a_pulse("-s", "KILL") - 0.1 * PULSE_S
    assert rests_s < 1, rests_s
    back_s = await until("it runs again", answers)
    await asyncio.sleep(4)
    assert ctl("status")["privacy"] is True and level("GPIO26") == 0
    ctl("unmute")
    return f"its door rests after {1000 * rests_s:.0f} ms, back after {back_s:.1f} s, still mute"


async def is_killed_alone():
    """Only the program, as for want of memory, while one that it has started does not want to end."""
    ctl("ring")
    await until("the stubborn program runs", lambda: board("pgrep", "-f", "stubborn", check=False))
    rests_s = await in_a_pulse("-s", "KILL", "--kill-whom=main") - 0.1 * PULSE_S
    assert rests_s < 1, rests_s
    await until("it runs again", answers)
    await asyncio.sleep(4)
    assert level("GPIO26") == 0
    return f"its door rests after {1000 * rests_s:.0f} ms"


async def is_stopped():
    """It stands still, with all that it has started, while it drives the door."""
    rests_s = await in_a_pulse("-s", "STOP")
    await until("it runs again", answers)
    assert rests_s < PULSE_S + 2 and level("GPIO26") == 0
    words = [text for _, text in journal(0) if "put to rest" in text]
    assert len(words) == 3 and all("GPIO26" in text for text in words), words
    await asyncio.sleep(4)
    # A pulse as usual is nobody else's to end, and the watchdog is patient again after it.
    ctl("pulse", "door")
    await until("driven", lambda: level("GPIO26") == 1, 5, 0.02)
    assert 2.7 < await until("at rest", lambda: level("GPIO26") == 0, 5, 0.02) < 3.3
    return f"its door rests {rests_s:.2f} s after it was driven: {words[-1].split(': ', 1)[-1]}"


async def is_bitten():
    """A process that stands still is started anew."""
    before = board("systemctl", "show", "-P", "MainPID", "kinglet")
    board("systemctl", "kill", "-s", "STOP", "kinglet")
    bitten_s = await until("a new process", lambda: board("systemctl", "show", "-P", "MainPID", "kinglet")
                           not in (before, "0"), 120, 2)
    return f"after {bitten_s:.0f} s"


def is_walled_in():
    """What systemd thinks of the walls around it."""
    exposure = board("systemd-analyze", "security", "--no-pager", "kinglet").splitlines()[-1]
    score = float(exposure.split(":")[1].split()[0])
    assert score <= 2.0, exposure
    return f"exposure {score}"


async def main():
    check = Checks("door")
    await check("begins", begins)
    watch = subprocess.Popen([*OUTSIDE, "kinglet", "ctl", "--json", "watch"], stdout=(FOLDER / "events.jsonl").open("w"))
    await check("rings-without-a-network", rings_without_a_network)
    flat, stranger = await Peer.join(URL, ROOM, "flat-1"), await Peer.join(URL, ROOM, "stranger")
    await check("talks", talks, flat)
    await check("opens", opens, flat, stranger)
    await check("hangs-up", hangs_up, flat)
    await check("is-missed", is_missed, flat)
    await check("ends-by-itself", ends_by_itself, flat)
    watch.kill()
    await flat.leave()
    await stranger.leave()
    await check("is-killed", is_killed)
    await check("is-killed-alone", is_killed_alone)
    await check("is-stopped", is_stopped)
    await check("is-bitten", is_bitten)
    await check("is-walled-in", is_walled_in)
    return 1 if check.failed else 0


sys.exit(asyncio.run(main()))
