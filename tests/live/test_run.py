"""`kinglet run` and `kinglet ctl` with the real server, the official SDK being the flat that is rung."""
import asyncio
import contextlib
import os
import socket
import stat
import subprocess
import time

import pytest
from kinglet import BINARY
from livekit import rtc
from peer import Peer
from sound import tone, tone_levels


def test_a_call_from_ring_to_hang_up(server, room, box, run):
    door = box(call='join = "on-ring"\nparties = ["flat-*"]')

    async def call():
        flat = await Peer.join(server.url, room, "flat-1")
        await asyncio.sleep(1)
        assert not flat.remote("door"), "in the room for a call only"
        await asyncio.to_thread(door.ask, "ring")
        await flat.wait_for("participant_connected", "door")
        await asyncio.to_thread(door.wait_for, "ringing")
        # Whoever may answers by an open microphone.
        flat.speak_on(tone(800, 5))
        answered = await asyncio.to_thread(door.wait_for, "call_answered")
        assert (answered["identity"], answered["reason"]) == ("flat-1", "microphone")
        await asyncio.sleep(3)
        status = await asyncio.to_thread(door.ask, "status")
        assert (status["call"]["state"], status["call"]["identity"]) == ("talking", "flat-1")
        assert tone_levels(flat.sound_of("door")[-48_000:], [440])[440] > -30, "the flat hears the door"
        assert not (await asyncio.to_thread(door.ctl, "ring"))["ok"], "there is a call"
        await asyncio.to_thread(door.ask, "hangup")
        ended = await asyncio.to_thread(door.wait_for, "call_ended")
        assert ended["reason"] == "ctl" and ended["seconds"] >= 3
        await flat.wait_for("participant_disconnected", "door")
        await flat.leave()

    run(call())
    door.stop()


def test_nobody_answers_and_the_next_ring_works(box):
    door = box(call='join = "on-ring"\nring_timeout_s = 5')
    for count in (1, 2):
        door.ask("ring")
        missed = door.wait_for("call_missed", count=count)
        assert (missed["reason"], missed["seconds"]) == ("timeout", 5)
        door.wait_for("disconnected", count=count, reason="CLIENT_INITIATED")


def test_strangers_do_not_answer(server, room, box, run):
    door = box(call='parties = ["flat-*"]\nring_timeout_s = 5')

    async def call():
        stranger = await Peer.join(server.url, room, "stranger")
        await asyncio.to_thread(door.ask, "ring")
        stranger.speak_on(tone(800, 5))
        await asyncio.to_thread(door.wait_for, "call_missed")
        assert not door.events("call_answered")
        await stranger.leave()

    run(call())


def test_the_box_is_called_by_method(server, room, box, run, folder):
    """Rung, answered and hung up by RPC; programs are started; strangers are refused."""
    told = folder / "told"
    told.unlink(missing_ok=True)
    program = f'[on]\nanswered = ["/bin/sh", "-c", "echo $1 >> {told}", "sh", "' + '{identity}"]'
    door = box(call='parties = ["flat-*"]', more=program)

    async def call():
        flat = await Peer.join(server.url, room, "flat-1")
        stranger = await Peer.join(server.url, room, "stranger")
        await asyncio.to_thread(door.wait_for, "participant_joined", identity="stranger")
        await asyncio.to_thread(door.wait_for, "participant_joined", identity="flat-1")

        async def perform(peer, method):
            return await peer.room.local_participant.perform_rpc(
                destination_identity="door", method=method, payload="", response_timeout=10
            )

        with pytest.raises(rtc.RpcError) as refused:
            await perform(stranger, "ring")
        assert refused.value.code == 1500 and "list" in refused.value.message
        with pytest.raises(rtc.RpcError) as unknown:
            await perform(flat, "dance")
        assert unknown.value.code == 1400
        await perform(flat, "ring")
        ringing = await asyncio.to_thread(door.wait_for, "ringing", identity="flat-1")
        assert ringing["reason"] == "rpc"
        assert (await asyncio.to_thread(door.ask, "status"))["call"]["state"] == "ringing"
        await asyncio.to_thread(door.ask, "answer")
        await asyncio.to_thread(door.wait_for, "call_answered", identity="flat-1")
        await perform(flat, "hangup")
        ended = await asyncio.to_thread(door.wait_for, "call_ended")
        assert ended["reason"] == "remote"
        await flat.leave()
        await stranger.leave()

    run(call())
    assert told.read_text() == "flat-1\n"


def test_an_attribute_answers_and_hangs_up(server, room, box, run):
    door = box(call='answered_by = "command"')

    async def call():
        flat = await Peer.join(server.url, room, "flat-1", grants={"canUpdateOwnMetadata": True})
        await asyncio.to_thread(door.wait_for, "participant_joined", identity="flat-1")
        await asyncio.to_thread(door.ask, "ring")
        await flat.room.local_participant.set_attributes({"kinglet.call": "answered"})
        answered = await asyncio.to_thread(door.wait_for, "call_answered")
        assert (answered["identity"], answered["reason"]) == ("flat-1", "attribute")
        await flat.room.local_participant.set_attributes({"kinglet.call": "ended"})
        await asyncio.to_thread(door.wait_for, "call_ended", identity="flat-1", reason="remote")
        await flat.leave()

    run(call())


def test_privacy_outlives_the_process(box):
    door = box()
    assert door.ask("status")["privacy"] is False
    door.ask("mute")
    assert door.ask("status")["privacy"] is True
    time.sleep(0.5)
    door.process.kill()
    door.process.wait()
    door.start()
    assert door.ask("status")["privacy"] is True
    door.ask("unmute")
    door.stop()
    door.start()
    assert door.ask("status")["privacy"] is False


def test_who_is_removed_by_its_own_identity_waits(server, room, box, kinglet):
    door = box()
    door.wait_until_in_room()
    twin = kinglet("door", "--input", "none", "--output", "none")
    twin.wait_for("connected")
    lost = door.wait_for("disconnected", reason="DUPLICATE_IDENTITY")
    assert lost["will_retry"] and lost["retry_in_ms"] > 40_000
    assert door.process.poll() is None
    twin.leave()


def test_the_socket_is_for_its_group_and_survives_nonsense(box):
    door = box()
    assert stat.S_IMODE(door.socket.stat().st_mode) == 0o660
    assert door.ctl("dance")["error"]["code"] == "unknown"
    assert door.ctl("pulse", "gate")["error"]["code"] == "refused"
    for nonsense in (b"\xff\xfe\x00\n", b"x" * 100_000, b"\n" * 1000, os.urandom(5000)):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(door.socket))
            client.sendall(nonsense)
    clients = []
    for _ in range(100):
        clients.append(socket.socket(socket.AF_UNIX))
        clients[-1].settimeout(20)
        clients[-1].connect(str(door.socket))
        # Who is one too many is told so and sent away, before it has said anything.
        with contextlib.suppress(BrokenPipeError):
            clients[-1].sendall(b"watch\n")
    said = [client.recv(4096) for client in clients]
    assert sum(b'"busy"' in line for line in said) >= 92, "eight are served"
    assert any(b'"busy"' not in line for line in said)
    for client in clients:
        client.close()
    deadline = time.monotonic() + 20
    while not (answer := door.ctl("status"))["ok"]:
        assert answer["error"]["code"] == "busy" and time.monotonic() < deadline
        time.sleep(0.05)
    assert answer["result"]["call"]["state"] == "idle"
    door.stop()
    assert not door.socket.exists()


def test_a_bad_configuration_is_told_whole(folder, server, room):
    config = folder / "bad.toml"
    config.write_text("[server]\nurl = 'intercom'\n[call]\njoin = 'sometimes'\nring_timout_s = 3\n")
    for check in (["--check"], []):
        done = subprocess.run([BINARY, "run", "--config", config, *check], capture_output=True, text=True, timeout=20)
        assert done.returncode == 3
        for line in ("line 2: server.url", "line 1: server.token: is missing", "line 4: call.join", "did you mean ring_timeout_s"):
            assert line in done.stderr, done.stderr


def test_the_service_manager_is_told(folder, box):
    path = folder / "notify"
    path.unlink(missing_ok=True)
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(path))
    manager.settimeout(10)
    door = box(environment={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"})
    heard = [manager.recv(256).decode() for _ in range(6)]
    assert "READY=1" in heard and heard.count("WATCHDOG=1") >= 2, heard
    door.process.send_signal(subprocess.signal.SIGSTOP)
    time.sleep(1)
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            manager.recv(256)
    time.sleep(1)
    with pytest.raises(BlockingIOError):
        manager.recv(256)
    door.process.send_signal(subprocess.signal.SIGCONT)
    door.stop()
