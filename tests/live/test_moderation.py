"""What a moderator does by the server's API, and what others do to us: obeyed, told, and not undone."""
import pytest
from admin import Admin, Refused
from server import Server


def test_a_moderator_mutes(server, room, browser, kinglet, admin):
    browser.join(server.url, room, "panel")
    box = kinglet("door", "--input", "tone:900", "--output", "none")
    sid = box.wait_for("local_track_published")["sid"]
    browser.hears("door", 900)
    admin.mute("door", sid)
    box.wait_for("local_muted", by="server")
    browser.wait_for("track_muted", identity="door")
    browser.hears("door", 900, is_heard=False)
    # This server does not let a moderator unmute; whoever sits at the box may.
    with pytest.raises(Refused):
        admin.mute("door", sid, muted=False)
    box.ask("unmute")
    browser.wait_for("track_unmuted", identity="door")
    browser.hears("door", 900)
    box.leave()


def test_a_moderator_unmutes_where_the_server_allows_it(folder, room, kinglet):
    server = Server(folder / "server", remote_unmute=True)
    try:
        box = kinglet("door", "--input", "tone:900", "--output", "none", url=server.url)
        sid = box.wait_for("local_track_published")["sid"]
        admin = Admin(server.url, room)
        admin.mute("door", sid)
        box.wait_for("local_muted", by="server")
        assert not box.ask("status")["sending"]
        admin.mute("door", sid, muted=False)
        box.wait_for("local_unmuted", by="server")
        assert box.ask("status")["sending"]
        # What was muted at the box stays so, and the room is told that it does.
        box.ask("mute")
        box.wait_until(lambda: admin.is_muted("door", sid))
        admin.mute("door", sid, muted=False)
        box.wait_until(lambda: admin.is_muted("door", sid))
        assert not box.ask("status")["sending"]
        box.leave()
    finally:
        server.stop()


def test_a_permission_is_taken_and_given_back(server, room, browser, kinglet, admin):
    browser.join(server.url, room, "panel")
    box = kinglet("door", "--input", "tone:900", "--output", "none")
    first = box.wait_for("local_track_published")
    browser.hears("door", 900)
    admin.allow("door", publish=False)
    box.wait_for("permissions_changed", publish=False)
    box.wait_for("local_track_unpublished", by="server", sid=first["sid"])
    browser.wait_for("track_unpublished", identity="door")
    assert box.ask_refused("publish")["code"] == "refused", "the server does not let us"
    assert not box.ask("status")["permissions"]["publish"]
    admin.allow("door")
    box.wait_for("permissions_changed", publish=True)
    again = box.wait_for("local_track_published", after=first)
    assert again["sid"] != first["sid"]
    browser.hears("door", 900)
    box.leave()


def test_hearing_is_forbidden_and_allowed_again(server, room, browser, kinglet, admin, folder):
    browser.join(server.url, room, "panel")
    browser.speak(600)
    box = kinglet("door", "--input", "none", "--output", f"wav:{folder}/heard.wav")
    first = box.wait_for("track_subscribed", identity="panel")
    admin.allow("door", subscribe=False)
    box.wait_for("permissions_changed", subscribe=False)
    gone = box.wait_for("track_unsubscribed", identity="panel", after=first)
    admin.allow("door")
    box.wait_for("permissions_changed", subscribe=True)
    box.wait_for("track_subscribed", identity="panel", after=gone)
    box.leave()


def test_others_name_us_and_the_room(kinglet, admin):
    box = kinglet("door", "--input", "none", "--output", "none")
    box.wait_for("connected")
    admin.update("door", name="Front door", metadata="by admin", attributes={"floor": "2"})
    # The server tells them one after the other.
    wanted = {"name": "Front door", "metadata": "by admin", "attributes": {"floor": "2"}}
    box.wait_for("participant_changed", identity="door", **wanted)
    admin.ask("UpdateRoomMetadata", metadata="night")
    box.wait_for("room_changed", metadata="night")
    box.leave()


@pytest.mark.parametrize("how, reason", [("RemoveParticipant", "PARTICIPANT_REMOVED"), ("DeleteRoom", "ROOM_DELETED")])
def test_who_is_sent_away_stays_away(kinglet, admin, how, reason):
    box = kinglet("door", "--input", "tone", "--output", "none", "--retry", "forever")
    box.wait_for("connected")
    admin.ask(how, identity="door")
    assert box.end() == 7
    assert box.events("disconnected")[-1]["reason"] == reason
    assert len(box.errors.read_text().strip().splitlines()) == 1


def test_the_open_source_server_moves_nobody(kinglet, admin):
    """RoomMoved is LiveKit Cloud's; the simulation has it. This says when the server learns it."""
    box = kinglet("door", "--input", "none", "--output", "none")
    box.wait_for("connected")
    with pytest.raises(Refused):
        admin.ask("MoveParticipant", identity="door", destination_room="elsewhere")
    box.leave()


def test_a_publisher_forbids_us_its_track(server, room, browser, kinglet, folder):
    browser.join(server.url, room, "panel")
    browser.speak(600)
    box = kinglet("door", "--input", "none", "--output", f"wav:{folder}/heard.wav")
    heard = box.wait_for("track_subscribed", identity="panel")
    browser.run("room.localParticipant.setTrackSubscriptionPermissions(false, [])")
    box.wait_for("track_permission", identity="panel", allowed=False)
    assert box.ask("participants")[0]["tracks"][0]["forbidden"]
    # Allowed again before the server has taken it away, it would be heard on, and not subscribed anew.
    box.wait_for("track_unsubscribed", identity="panel", after=heard)
    browser.run("room.localParticipant.setTrackSubscriptionPermissions(true)")
    box.wait_for("track_permission", identity="panel", allowed=True)
    box.wait_for("track_subscribed", identity="panel", after=heard)
    box.leave()


def test_we_say_who_hears_us(server, room, browser, kinglet):
    browser.join(server.url, room, "panel")
    box = kinglet("door", "--input", "tone:900", "--output", "none")
    box.wait_for("local_track_published")
    browser.hears("door", 900)
    box.ask("heard-by hall attic")
    browser.hears("door", 900, is_heard=False)
    assert box.ask("status")["heard_by"] == ["hall", "attic"]
    box.ask("heard-by panel")
    browser.hears("door", 900)
    box.leave()
