"""Another configuration while the box runs, by `ctl reload` and by SIGHUP."""
import asyncio
import signal
import time

import pytest
from peer import Peer
from sound import tone


@pytest.fixture
def box(box):
    def start(**options):
        door = box(**options)
        door.wait_until_in_room()
        return door

    return start


def wait_for_answer(door):
    """Until the socket is there again."""
    deadline = time.monotonic() + 20
    while not door.socket.exists():
        assert time.monotonic() < deadline, door.journal.read_text()
        time.sleep(0.02)


def test_what_can_be_taken_in_the_room_is(box, folder):
    door = box(call="ring_timeout_s = 600")
    sid = door.ask("status")["sid"]
    told = folder / "told"
    told.unlink(missing_ok=True)
    hook = f'[on]\nmissed = ["/bin/sh", "-c", "echo missed >> {told}"]\n[control]'
    door.change(("ring_timeout_s = 600", "ring_timeout_s = 5"), ("[control]", hook))
    door.process.send_signal(signal.SIGHUP)
    taken = door.wait_for("reloaded")
    assert (taken["anew_for"], taken["after_call"]) == ([], False)
    door.ask("ring")
    assert door.wait_for("call_missed")["seconds"] == 5
    deadline = time.monotonic() + 20
    while not (told.exists() and told.read_text() == "missed\n"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert door.ask("status")["sid"] == sid
    assert not door.events("disconnected") and not door.events("reconnecting")
    door.stop()


def test_a_bad_file_changes_nothing_and_is_told_by_line_and_key(box):
    door = box()
    sid = door.ask("status")["sid"]
    good = door.config.read_text()
    for change, line, words in (
        (("[call]", "[call]\nring_timeout_s = 1"), "[call]", "call.ring_timeout_s: is 1; allowed is a whole number from 5 to 600"),
        (("[call]", "[call]\nring_timout_s = 9"), "[call]", "did you mean ring_timeout_s"),
        (("[call]", "[call"), "[call]", "not TOML"),
        (("[call]", '[gpio]\nlamp = { line = "NOWHERE", shows = "state" }\n[call]'), None, "no GPIO line NOWHERE"),
        (("[server]", 'board = "pi9"\n[server]'), None, "is not a known board"),
        (("[server]", '[server]\nca = "/nowhere.pem"'), None, "/nowhere.pem"),
    ):
        door.config.write_text(good)
        number = good.split("\n").index(line) + (1 if "TOML" in words else 2) if line else 0
        door.change(change)
        answer = door.ctl("reload")
        assert answer["error"]["code"] == "refused" and words in answer["error"]["message"], answer
        assert not line or f"{door.config}: line {number}:" in answer["error"]["message"], (number, answer)
        assert "\n" not in answer["error"]["message"]
    door.config.unlink()
    door.process.send_signal(signal.SIGHUP)
    door.wait_for_line(f"stays as it is: {door.config}: ")
    assert door.ask("status")["sid"] == sid
    # The journal has it before whoever watches.
    door.wait_for("warning", count=7)
    assert not door.events("reloaded")
    door.config.write_text(good)
    assert door.ask("reload") == {"anew_for": [], "after_call": False}
    door.stop()


def test_another_identity_is_another_session_after_the_call(server, room, box, run):
    door = box()
    pid, sid = door.process.pid, door.ask("status")["sid"]

    async def call():
        flat = await Peer.join(server.url, room, "flat-1")
        await asyncio.to_thread(door.ask, "mute")
        await asyncio.to_thread(door.ask, "ring")
        flat.speak_on(tone(800, 60))
        await asyncio.to_thread(door.wait_for, "call_answered")
        door.change(('identity = "door"', 'identity = "gate"'))
        assert (await asyncio.to_thread(door.ask, "reload")) == {"anew_for": ["server"], "after_call": True}
        status = (await asyncio.to_thread(door.ask, "status"))
        assert (status["sid"], status["call"]["state"]) == (sid, "talking"), "the call goes on"
        await asyncio.to_thread(door.ask, "hangup")
        await flat.wait_for("participant_disconnected", "door")
        await flat.wait_for("participant_connected", "gate")
        await flat.leave()

    run(call())
    wait_for_answer(door)
    door.wait_until_in_room()
    status = door.ask("status")
    assert (status["identity"], door.process.pid) == ("gate", pid) and status["sid"] != sid
    assert status["privacy"], "whatever else changes"
    door.stop()


def test_a_plan_that_cannot_be_begun_is_gone_back_from(box, folder):
    door = box()
    # A folder in the place of the socket shows only when it is made.
    (folder / "folder").mkdir(exist_ok=True)
    door.change((f'socket = "{door.socket}"', f'socket = "{folder / "folder"}"'))
    assert door.ask("reload")["anew_for"] == ["control"]
    assert "the previous configuration is used again" in door.wait_for_line("control socket")
    wait_for_answer(door)
    door.wait_until_in_room()
    door.stop()


def test_another_key_in_the_same_file_is_taken(box, folder):
    door = box()
    sid, key_file = door.ask("status")["sid"], folder / "key"
    right = key_file.read_text()
    assert door.ask("reload")["anew_for"] == []
    key_file.write_text(right.replace("SECRET=", "SECRET=rotated-"))
    assert door.ask("reload") == {"anew_for": ["server.token.key_file"], "after_call": False}
    door.wait_for_line("HTTP 401")
    key_file.write_text(right)
    assert door.ask("reload")["anew_for"] == ["server.token.key_file"]
    # The first time it was with the key of before.
    door.wait_for_line("connected to room", count=2)
    assert door.ask("status")["sid"] != sid
    assert "rotated-" not in door.journal.read_text()
    door.stop()
