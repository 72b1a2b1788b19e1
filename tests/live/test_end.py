"""How a session ends: hung up by a signal, removed by the server, the server gone and back."""
import asyncio
import json
import signal
import time
import urllib.request
import wave

import pytest
from meeting import until
from peer import Peer
from server import Server, token


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_hangs_up(server, room, kinglet, folder, run, how):
    wav = folder / "heard.wav"

    async def call():
        peer = await Peer.join(server.url, room, "witness")
        box = kinglet("box", "--input", "tone", "--output", f"wav:{wav}")
        await peer.wait_for("track_subscribed", "box")
        await asyncio.sleep(1)
        at = time.monotonic()
        box.process.send_signal(how)
        assert await asyncio.to_thread(box.end) == 0
        gone = await peer.wait_for("participant_disconnected", "box") - at
        await peer.leave()
        return box, gone

    box, gone = run(call())
    print(f"gone for others {1000 * gone:.0f} ms after the signal")
    assert gone < 5, "the leave was flushed: a lost connection would show after 15 s"
    assert box.events()[-1]["event"] == "disconnected" and not box.events()[-1]["will_retry"]
    with wave.open(str(wav)) as file:
        assert file.getframerate() == 48_000 and file.getnframes() > 20_000


def test_removal_is_obeyed(server, room, kinglet):
    box = kinglet("box", "--input", "tone", "--output", "none", "--retry", "forever")
    box.wait_for("local_track_published")
    admin = token(room, "admin", roomAdmin=True)
    request = urllib.request.Request(
        server.url.replace("ws:", "http:") + "/twirp/livekit.RoomService/RemoveParticipant",
        data=json.dumps({"room": room, "identity": "box"}).encode(),
        headers={"Authorization": f"Bearer {admin}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()
    assert box.end() == 7
    assert box.events("disconnected")[-1]["reason"] == "PARTICIPANT_REMOVED"
    assert len(box.errors.read_text().strip().splitlines()) == 1


def test_the_identity_taken_over_ends_the_first(kinglet):
    first = kinglet("box", "--input", "tone", "--output", "none")
    first.wait_for("connected")
    second = kinglet("box", "--input", "tone", "--output", "none")
    second.wait_for("connected")
    assert first.end() == 7
    assert first.events("disconnected")[-1]["reason"] == "DUPLICATE_IDENTITY"
    second.leave()


def test_it_comes_back_when_the_server_does(kinglet, folder):
    server = Server(folder)
    try:
        box = kinglet("box", "--input", "tone", "--output", "none", url=server.url)
        first = box.wait_for("local_track_published")
        server.stop()
        box.wait_for("reconnecting")
        time.sleep(2)
        server.start()
        event = box.wait_for("reconnected", timeout_s=40)
        print(f"back after {event['gap_ms']} ms")
        box.wait_for("local_track_published", after=first)
        box.leave()
    finally:
        server.stop()


@pytest.mark.parametrize("sound", ["none", "tone"])
def test_what_was_given_before_the_end_arrives(server, room, kinglet, folder, run, sound):
    """A message and a file, followed at once by `leave`, by a signal, by the end of --duration."""
    picture = folder / "a.jpg"
    picture.write_bytes(bytes(50_000))

    async def call():
        came, tasks = [], []

        async def take(reader, identity):
            came.append((identity, len(b"".join([chunk async for chunk in reader]))))

        def prepare(room):
            room.on("data_received", lambda packet: came.append((packet.participant.identity, packet.data)))
            room.register_byte_stream_handler(
                "pictures", lambda reader, who: tasks.append(asyncio.ensure_future(take(reader, who)))
            )

        hall = await Peer.join(server.url, room, "hall", prepare=prepare)
        wanted = set()
        # The server announces a participant without a track within three seconds: too late for a short --duration.
        for how in ("leave", "signal", "duration")[: 2 if sound == "none" else 3]:
            who = how
            more = ["--duration", "1.5"] if how == "duration" else []
            box = kinglet(who, "--input", sound, "--output", "none", *more)
            connected = await asyncio.to_thread(box.wait_for, "connected")
            await hall.wait_for("participant_connected", who)
            if how == "duration":
                # As late as can be, and still before the end.
                await asyncio.sleep(1.3)
            box.tell(f"data --topic hello x\nfile --topic pictures {picture}")
            if how == "signal":
                while not box.events("command_result"):
                    await asyncio.sleep(0.001)
                box.process.send_signal(signal.SIGTERM)
            elif how != "duration":
                box.tell("leave")
            assert await asyncio.to_thread(box.end) == 0
            ended = box.events()[-1]["t_ms"]
            assert ended - connected["t_ms"] < 4500
            [left] = [event for event in box.events("command_result") if event["command"] == "leave"] or [{}]
            assert "result" not in left, "nothing is left"
            wanted |= {(who, b"x"), (who, 50_000)}
            await until(lambda: wanted <= set(came), 3)
        await hall.leave()

    run(call())
