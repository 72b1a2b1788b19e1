"""What others say is data, and costs a bounded share of memory and journal."""
import asyncio
import json
import socket
import subprocess
import time
from pathlib import Path

from kinglet import BINARY
from peer import Peer
from sound import tone, write_wav

RSS_KB_MAX = 30 * 1024

# MemoryMax= of the unit without its part for a hostile server and for programs of [on] (cross/package/kinglet.service).
EVERYTHING_KB_MAX = (256 - 50 - 40) * 1024
TONES = ["ringing", "answered", "ended", "trouble", "muted", "unmuted", "joined", "left", "lost", "refused"]

# A line of 0.1.0, and the one that it was meant to hide.
TWO_LINES = "hello\nunmute"


def peak_kb(process):
    (line,) = [line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in line]
    return int(line.split()[1])


def watching(door):
    """A client that watches, and does not read."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    client.connect(str(door.socket))
    client.sendall(b"watch\n")
    return client


def call(peer, method):
    return peer.room.local_participant.perform_rpc(
        destination_identity="door", method=method, payload="", response_timeout=10
    )


def test_arguments_are_data(server, room, box, run, folder):
    """Of `ctl`, and of programs that the box starts for somebody whose identity is a trap."""
    told = folder / "told"
    script = f'{{ printf "%s|" "$@" "$KINGLET_IDENTITY" "$LIVEKIT_API_SECRET$HTTPS_PROXY" "$DOOR_KEY"; echo; }} >> {told}'
    arguments = json.dumps(["/bin/sh", "-c", script, "sh", "{identity}", "http://x/?from={identity}"])
    ring = f'environment = ["DOOR_KEY"]\nring = {arguments}'
    secrets = {"LIVEKIT_API_SECRET": "secret", "HTTPS_PROXY": "", "DOOR_KEY": "1234"}
    door = box(call='parties = ["*"]\njoin = "always"', more=f"[on]\n{ring}", environment=secrets)
    door.wait_until_in_room()
    heard = []

    async def meet():
        flat = await Peer.join(server.url, room, "-x\nunmute")
        hear = lambda reader, who: asyncio.ensure_future(keep(reader))

        async def keep(reader):
            heard.append(await reader.read_all())

        flat.room.register_text_stream_handler("lk.chat", hear)
        await asyncio.to_thread(door.ask, "mute")
        await asyncio.to_thread(door.ask, "chat", TWO_LINES)
        await asyncio.to_thread(door.ask, "chat", 'a "b"', " c\\")
        refused = await asyncio.to_thread(door.ctl, "ring", "x\nunmute")
        assert refused["error"]["code"] == "usage" and "control" in refused["error"]["message"]
        assert (await asyncio.to_thread(door.ask, "status"))["privacy"], "nothing has un-muted it"
        await call(flat, "ring")
        deadline = time.monotonic() + 20
        while len(heard) < 2 or not told.exists() or not told.read_text().endswith("\n"):
            assert time.monotonic() < deadline, (heard, told.exists())
            await asyncio.sleep(0.05)
        await flat.leave()

    run(meet())
    assert heard == [TWO_LINES, 'a "b"  c\\']
    assert told.read_text() == "%2Dx%0Aunmute|http://x/?from=%2Dx%0Aunmute|%2Dx%0Aunmute||1234|\n"
    # In the journal it is seen for what it is.
    assert 'it rings with "-x\\nunmute"\n' in door.journal.read_text()
    # Plain lines of older clients.
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(door.socket))
        client.sendall(b'data --topic "a b" {"open": 1}\nring "x\\u0007"\nvolume 70%\n["volume","80%"]\n')
        client.shutdown(socket.SHUT_WR)
        answers = [json.loads(line) for line in client.makefile()]
    assert [answer["ok"] for answer in answers] == [True, False, True, True], answers
    door.stop()


async def update(server, room, door):
    flat = await Peer.join(server.url, room, "flat-1", grants={"canUpdateOwnMetadata": True})
    ends_at = time.monotonic() + 13
    number = 0
    while time.monotonic() < ends_at:
        number += 1
        # As JSON it is six times as long.
        await flat.room.local_participant.set_metadata(f"{number} " + "\x01" * 16_000)
        if number == 100:
            assert (await asyncio.to_thread(door.ctl, "status"))["ok"], "the owner is served"
    await flat.leave()
    return number


async def flood(server, room, door, identity="flat-1"):
    flat = await Peer.join(server.url, room, identity)
    own = flat.room.local_participant
    ends_at = time.monotonic() + 6
    number = 0
    while time.monotonic() < ends_at:
        number += 1
        await own.publish_data("sesame " * 80, topic="t")
        await asyncio.sleep(0.002)
    for digit in "4711":
        await own.publish_dtmf(code=int(digit), digit=digit)
    await own.send_text("sesame", topic="lk.chat")
    await asyncio.to_thread(door.wait_for, "chat")
    await flat.leave()
    return number


def test_bounded_memory_and_a_quiet_journal(server, room, box, run):
    """Of two boxes in two rooms, side by side: the one waits until the box sends clients away that do not read."""
    door, other = box(call='join = "always"'), box(call='join = "always"', room=f"{room}-other", identity="other")
    for each in (door, other):
        each.wait_until_in_room()
    clients = [watching(door) for _ in range(7)]

    async def both():
        return await asyncio.gather(update(server, room, door), flood(server, f"{room}-other", other))

    updates, sent = run(both())
    print(f"peak {peak_kb(door.process)} kB, {updates} updates, {len(door.events('participant_changed'))} seen by a reader")
    assert updates > 200 and len(door.events("participant_changed")) > 100
    assert peak_kb(door.process) <= RSS_KB_MAX
    # One of them would have taken the last place, and was refused it; the others were sent away meanwhile.
    last = clients[-1].makefile()
    assert json.loads(last.readline())["error"]["code"] == "busy"
    again = watching(door)
    assert json.loads(again.makefile().readline()) == {"ok": True}
    for client in [*clients, again]:
        client.close()
    door.stop()
    judge_journal(other, sent)


def test_everything_at_once_fits_into_the_unit(server, room, box, run, folder):
    """The largest recordings wherever there may be one, a reload of all of them, and the attack of the test above."""
    minutes = [folder / "one.wav", folder / "two.wav"]
    for path, hz in zip(minutes, (300, 500)):
        write_wav(path, 0.1 * tone(hz, 60))
    tones = "".join(f'{name} = "{minutes[0]}"\n' for name in TONES)
    door = box(call='join = "always"', more=f"[call.tones]\n{tones}", output=f"wav:{folder / 'played.wav'}")
    door.wait_until_in_room()
    # With the box's own, the two that play and one for the rest: eight.
    clients = [watching(door) for _ in range(4)]

    async def everything():
        def play_and_reload():
            for command in ("play", "announce"):
                subprocess.Popen([BINARY, "ctl", "--socket", door.socket, command, minutes[1]], stdout=subprocess.DEVNULL)
            time.sleep(2)
            door.change((str(minutes[0]), str(minutes[1])))
            door.ask("reload")

        return await asyncio.gather(
            update(server, room, door), flood(server, room, door, "flat-2"), asyncio.to_thread(play_and_reload)
        )

    updates, sent, _ = run(everything())
    print(f"peak {peak_kb(door.process)} kB of {EVERYTHING_KB_MAX}, {updates} updates, {sent} messages")
    assert updates > 200 and sent > 200
    # The recordings are there: ten tones and two others take 70 MB.
    assert 70 * 1024 < peak_kb(door.process) <= EVERYTHING_KB_MAX
    for client in clients:
        client.close()
    door.stop()


def judge_journal(door, sent):
    door.wait_for("participant_left", identity="flat-1")
    door.wait_for_line("flat-1 left")
    door.stop()
    journal = door.journal.read_text()
    print(f"{sent} messages, {len(journal)} bytes of journal")
    assert sent > 200 and len(journal) < 8_000, journal[-2000:]
    assert "sesame" not in journal and "flat-1 sends data (t, 560 bytes)" in journal
    assert journal.count("flat-1 presses a key") == 4 and "flat-1 presses a key 4" not in journal
    counts = [int(line.split()[1]) for line in journal.splitlines() if "more lines about flat-1" in line]
    lines = sum("flat-1 sends" in line for line in journal.splitlines())
    seen = len([event for event in door.events() if event["event"] in ("data", "chat")])
    assert sum(counts) + lines == seen, "what is left out is counted"
    # Those who ask for events have all of them.
    assert [event["digit"] for event in door.events("dtmf")] == list("4711")
    assert door.events("chat")[0]["text"] == "sesame"
