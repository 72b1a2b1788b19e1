"""A telephone as LiveKit's SIP service brings it: in the room, with a microphone, from the moment it is dialled."""
import asyncio

from admin import Admin
from peer import Peer
from sound import tone

PHONE = "sip_+4930123456"


def status(word):
    return {"sip.callStatus": word}


def test_it_answers_when_it_is_taken_up(server, room, box, run):
    door = box(call='parties = ["sip_*"]')
    admin = Admin(server.url, room)

    async def says(word):
        await asyncio.to_thread(admin.update, PHONE, attributes=status(word))
        await asyncio.to_thread(door.wait_for, "participant_changed", identity=PHONE, attributes=status(word))

    async def call():
        await asyncio.to_thread(door.ask, "ring")
        phone = await Peer.join(server.url, room, PHONE, kind="sip", grants={"more": {"attributes": status("dialing")}})
        phone.speak_on(tone(800, 20))
        joined = await asyncio.to_thread(door.wait_for, "participant_joined", identity=PHONE)
        assert joined["kind"] == "sip"
        await asyncio.to_thread(door.wait_for, "participant_active", identity=PHONE)
        await asyncio.to_thread(door.wait_for, "track_published", identity=PHONE)
        await says("ringing")
        await asyncio.sleep(0.5)
        assert not door.events("call_answered"), "it only rings"
        await says("active")
        answered = await asyncio.to_thread(door.wait_for, "call_answered", 5)
        assert (answered["identity"], answered["reason"]) == (PHONE, "sip")
        await says("hangup")
        ended = await asyncio.to_thread(door.wait_for, "call_ended", 5)
        assert (ended["identity"], ended["reason"]) == (PHONE, "remote")
        await phone.leave()
        left = await asyncio.to_thread(door.wait_for, "participant_left", identity=PHONE)
        assert left["reason"] == "client_initiated"

    run(call())


def test_nobody_else_is_one_by_its_name(server, room, box, run):
    """Neither answers nor rings; who is removed left for that reason."""
    door = box(call='parties = ["sip_*"]')
    admin = Admin(server.url, room)

    async def call():
        false = await Peer.join(server.url, room, PHONE)
        await asyncio.to_thread(door.wait_for, "participant_active", identity=PHONE)
        await asyncio.to_thread(door.ask, "ring")
        false.speak_on(tone(800, 20))
        await asyncio.to_thread(door.wait_for, "track_published", identity=PHONE)
        await asyncio.sleep(0.5)
        assert not door.events("call_answered")
        await asyncio.to_thread(admin.ask, "RemoveParticipant", identity=PHONE)
        left = await asyncio.to_thread(door.wait_for, "participant_left", identity=PHONE)
        assert left["reason"] == "participant_removed"
        await false.leave()

    run(call())
