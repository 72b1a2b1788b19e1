"""Every command of `kinglet ctl`, a collector that reads its metrics, and what a socket has to bear."""
import asyncio
import contextlib
import os
import socket
import subprocess
import threading
import time

import pytest
from kinglet import BINARY
from livekit import rtc
from peer import Peer
from prometheus_client.parser import text_string_to_metric_families
from server import token
from sound import tone


@pytest.fixture
def box(box, room, folder):
    def start(**options):
        path = folder / "token"
        path.write_text(token(room, "door", canUpdateOwnMetadata=True))
        door = box(token=f'{{ file = "{path}" }}', output=f"wav:{folder / 'heard.wav'}", **options)
        door.wait_until_in_room()
        return door

    return start


def print_for_people(door, *words):
    command = [BINARY, "ctl", "--socket", door.socket, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=40, check=True).stdout


def commands():
    """The words of all commands, as the help has them."""
    text = subprocess.run([BINARY, "ctl", "--help"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in text.splitlines() if line.startswith("  ") and not line.startswith("  --")]
    return {line.split()[0] for line in lines}


def figures(text):
    """Each sample by its name and label value."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type in ("counter", "gauge") for family in families)
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_every_command(server, room, box, run, folder):
    door = box(call='parties = ["flat-*"]\nmode = "always"')
    given = set()
    file, sound = folder / "file.txt", folder / "short.wav"
    file.write_text("in a file")
    subprocess.run(["espeak-ng", "-w", sound, "hello"], check=True)

    async def ask(*words):
        given.add(words[0])
        return await asyncio.to_thread(door.ask, *words)

    async def settle(is_so):
        deadline = time.monotonic() + 20
        while not is_so():
            assert time.monotonic() < deadline, heard
            await asyncio.sleep(0.02)

    heard = []

    def prepare(flat):
        flat.on("data_received", lambda packet: heard.append(("data", packet.topic, packet.data.decode())))
        flat.on("sip_dtmf_received", lambda dtmf: heard.append(("dtmf", dtmf.digit)))
        for topic in ("lk.chat", "t"):
            flat.register_text_stream_handler(topic, lambda reader, who: keep("text", reader))
        flat.register_byte_stream_handler("f", lambda reader, who: keep("file", reader))

    tasks = []

    def keep(kind, reader):
        async def read():
            if kind == "text":
                heard.append((reader.info.topic, await reader.read_all()))
            else:
                heard.append((reader.info.name, b"".join([chunk async for chunk in reader]).decode()))

        tasks.append(asyncio.ensure_future(read()))

    async def call():
        flat = await Peer.join(server.url, room, "flat-1", prepare=prepare)
        flat.room.local_participant.register_rpc_method("greet", lambda call: f"hello {call.payload}")
        await flat.publish()
        # One that says nothing, but answers: an open microphone.
        flat.tasks.append(asyncio.ensure_future(flat.say(tone(800, 60), repeat=True)))
        await asyncio.to_thread(door.wait_for, "track_subscribed", identity="flat-1")

        status = await ask("status")
        # A tone of half the full scale.
        assert status["identity"] == "door" and -16 < status["microphone_dbfs"] < -6, status
        (who,) = await ask("participants")
        assert who["identity"] == "flat-1" and who["tracks"][0]["source"] == "microphone"
        sid = who["tracks"][0]["sid"]
        assert (await ask("stats"))["tracks"][0]["identity"] == "flat-1"
        assert (await ask("paths"))["subscriber"]["path"]["by"] == "udp"

        await ask("name", "Front", "door")
        await ask("metadata", "m")
        await ask("attributes", "lock=open")
        await settle(lambda: flat.remote("door").attributes.get("lock") == "open")
        assert (flat.remote("door").name, flat.remote("door").metadata) == ("Front door", "m")

        await ask("chat", "good", "morning")
        await ask("data", "--topic", "d", "--to", "flat-1", "bytes")
        await ask("text", "--topic", "t", "a text")
        await ask("file", "--topic", "f", str(file))
        await ask("text-file", "--topic", "t", str(file))
        await ask("dtmf", "12")
        expected = [("lk.chat", "good morning"), ("data", "d", "bytes"), ("t", "a text"), ("file.txt", "in a file"), ("t", "in a file")]
        await settle(lambda: all(one in heard for one in [*expected, ("dtmf", "1"), ("dtmf", "2")]))
        assert await ask("rpc", "flat-1", "greet", "door") == {"payload": "hello door"}

        await ask("talk", "off")
        assert not (await ask("status"))["talking"]
        await ask("talk", "on")
        await ask("mute")
        await flat.wait_for("track_muted", "door")
        await ask("unmute")
        await flat.wait_for("track_unmuted", "door")
        await ask("unpublish")
        await settle(lambda: not flat.remote("door").track_publications)
        await ask("publish")
        await settle(lambda: flat.remote("door").track_publications)
        await ask("heard-by", "flat-1")
        assert (await ask("status"))["heard_by"] == ["flat-1"]
        await ask("heard-by", "all")

        await ask("volume", "50")
        await ask("talker-volume", "flat-1", "200")
        for words in (("pause", sid), ("resume", sid), ("subscribe", "flat-1"), ("hear", "none")):
            await ask(*words)
        assert (await ask("status"))["hears"] == "none"
        await ask("unsubscribe", "flat-1")
        await asyncio.to_thread(door.wait_for, "track_unsubscribed", identity="flat-1")
        await ask("hear", "microphones")

        await ask("ring", "flat-1")
        await asyncio.to_thread(door.wait_for, "ringing", identity="flat-1")
        await ask("hangup")
        await flat.room.local_participant.perform_rpc(destination_identity="door", method="ring", payload="")
        await ask("answer")
        await asyncio.to_thread(door.wait_for, "call_answered", identity="flat-1", reason="ctl")
        await ask("hangup")

        assert 0.2 < (await ask("play", str(sound)))["seconds"] < 5, "it is heard in test_tones.py"
        # Its answer comes when all of it was said, and heard there.
        assert (await ask("announce", str(sound)))["seconds"] > 0.2
        await ask("quiet")
        given.add("pulse")
        pulsed = await asyncio.to_thread(door.ctl, "pulse", "door")
        assert pulsed["error"]["message"] == "no output has this name", "it has none; tests/rig/door.sh has"
        await ask("reload")
        await ask("reconnect")
        await asyncio.to_thread(door.wait_for, "reconnected")
        assert "kinglet_connected 1" in await ask("metrics")
        await flat.leave()

    run(call())
    # It has been watched all the time.
    given.add("watch")
    status = print_for_people(door, "status")
    assert len(status.splitlines()) <= 24, f"a screen: {status}"
    for words in ("state          connected", "  state          idle", "permissions    data microphone publish subscribe"):
        assert words in status, status
    given.add("leave")
    door.ask("leave")
    door.wait_for("disconnected", reason="CLIENT_INITIATED")
    assert given == commands()
    door.stop()


def test_a_collector_reads_the_metrics(server, room, box, run):
    door = box()

    async def call():
        flat = await Peer.join(server.url, room, "flat-1")
        await asyncio.to_thread(door.ask, "ring")
        flat.speak_on(tone(800, 5))
        await asyncio.to_thread(door.wait_for, "call_answered")
        before = figures(await asyncio.to_thread(print_for_people, door, "metrics"))
        deadline = time.monotonic() + 30
        while True:
            await asyncio.to_thread(door.ask, "stats")
            now = figures(await asyncio.to_thread(print_for_people, door, "metrics"))
            sent, heard = ("kinglet_sent_bytes_total",), ("kinglet_heard_packets_total", "received")
            if now[sent] > before[sent] > 0 and now[heard] > before[heard] + 50:
                break
            assert time.monotonic() < deadline, now
            await asyncio.sleep(0.2)
        shrunk = {key for key in before if key[0].endswith("_total") and now[key] < before[key]}
        assert not shrunk, "counters grow, also where stats are asked for between"
        expected = {
            ("kinglet_connected",): 1,
            ("kinglet_participants",): 1,
            ("kinglet_sending",): 1,
            ("kinglet_call", "talking"): 1,
            ("kinglet_call", "idle"): 0,
            ("kinglet_privacy",): 0,
            ("kinglet_calls_total", "rung"): 1,
            ("kinglet_calls_total", "answered"): 1,
            ("kinglet_xruns_total", "playback"): 0,
        }
        assert {key: now[key] for key in expected} == expected
        assert 0 <= now[("kinglet_signal_round_trip_seconds",)] < 5
        assert now[("process_resident_memory_bytes",)] > 1e6 and now[("process_cpu_seconds_total",)] > 0
        assert any(key[0] == "kinglet_build_info" for key in now)
        await flat.leave()

    run(call())
    door.stop()


def test_the_sound_goes_on_whatever_the_socket_bears(server, room, box, run):
    """Garbage, clients by the hundred, and watchers that do not read while there is much to tell."""
    door = box(call='mode = "always"')
    ends_at = time.monotonic() + 6

    def connect():
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(0.2)
        # Where more wait to be served than the kernel keeps, this one is sent away by it.
        with contextlib.suppress(OSError):
            client.connect(str(door.socket))
        return client

    def flood():
        while time.monotonic() < ends_at:
            clients = [connect() for _ in range(100)]
            for number, client in enumerate(clients):
                with contextlib.suppress(OSError):
                    client.sendall(os.urandom(2000) if number % 2 else b"status\n" * 500)
            for client in clients:
                client.close()

    def do_not_read():
        clients = [connect() for _ in range(3)]
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(b"watch\n")
        time.sleep(max(0, ends_at - time.monotonic()))
        for client in clients:
            client.close()

    async def call():
        flat = await Peer.join(server.url, room, "flat-1")
        await flat.hears_again("door", 0)
        began = time.monotonic()
        threads = [threading.Thread(target=flood), threading.Thread(target=do_not_read)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            await flat.room.local_participant.publish_data("x" * 1000, topic="noise")
            await asyncio.sleep(0.002)
        await flat.hears_again("door", time.monotonic())
        assert flat.longest_gap_ms("door", after=began) < 1000
        await flat.leave()

    run(call())
    deadline = time.monotonic() + 20
    while not (answer := door.ctl("status"))["ok"]:
        assert answer["error"]["code"] == "busy" and time.monotonic() < deadline
        time.sleep(0.05)
    assert answer["result"]["state"] == "connected"
    door.stop()
