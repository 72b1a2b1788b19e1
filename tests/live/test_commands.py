"""The commands of `--control -`, with the official JavaScript SDK as the one who sees what they do."""
import time

from sound import read_wav, tone_levels

RATE = 48_000


def test_name_metadata_attributes_both_ways(server, room, browser, kinglet):
    browser.join(server.url, room, "panel")
    box = kinglet("door", "--input", "tone", "--output", "none", grants={"canUpdateOwnMetadata": True})
    box.wait_for("local_track_published")
    browser.wait_for("participant_connected", identity="door")
    box.ask("name Front door")
    browser.wait_for("name_changed", identity="door", name="Front door")
    box.ask('metadata {"floor":2}')
    browser.wait_for("metadata_changed", identity="door", metadata='{"floor":2}')
    box.ask("attributes lock=open bell=on")
    browser.wait_for("attributes_changed", identity="door", changed={"lock": "open", "bell": "on"})
    box.ask("attributes bell=")
    browser.wait_for("attributes_changed", identity="door", changed={"bell": ""})
    status = box.ask("status")
    assert (status["name"], status["metadata"], status["attributes"]) == ("Front door", '{"floor":2}', {"lock": "open"})

    browser.run("await room.localParticipant.setName('Panel 1')")
    box.wait_for("participant_changed", identity="panel", name="Panel 1")
    browser.run("await room.localParticipant.setMetadata('m')")
    box.wait_for("participant_changed", identity="panel", metadata="m")
    browser.run("await room.localParticipant.setAttributes({ mood: 'calm' })")
    box.wait_for("participant_changed", identity="panel", attributes={"mood": "calm"})
    box.leave()


def test_a_refusal_of_the_server_is_the_answer(kinglet):
    box = kinglet("door", "--input", "none", "--output", "none")
    box.wait_for("connected")
    error = box.ask_refused("name Front door")
    assert error["code"] == "refused" and "not allowed" in error["message"]
    assert box.ask_refused("name")["code"] == "usage"
    assert box.ask_refused("mute")["code"] == "refused", "there is nothing to mute"
    box.leave()


def test_the_talk_key(server, room, browser, kinglet):
    browser.join(server.url, room, "panel")
    box = kinglet("door", "--input", "tone:900", "--output", "none")
    box.wait_for("local_track_published")
    browser.hears("door", 900)
    assert box.ask("talk off") == {"sending": False}
    browser.hears("door", 900, is_heard=False)
    box.ask("talk on")
    browser.hears("door", 900)
    assert not [note for note in browser.seen if note["seen"] == "track_muted"], "a dialogue is no mute"
    box.ask("talk off")
    browser.wait_for("track_muted", identity="door")
    assert box.ask("mute") is None and box.ask("talk on") == {"sending": False}, "muted wins"
    box.ask("unmute")
    browser.wait_for("track_unmuted", identity="door")
    browser.hears("door", 900)
    box.leave()


def test_speakers_both_ways(server, room, browser, kinglet, folder):
    browser.join(server.url, room, "panel")
    browser.speak(600)
    box = kinglet("door", "--input", "tone:900", "--output", f"wav:{folder}/heard.wav")
    browser.wait_for("speakers", identities=["door", "panel"])
    box.wait_until(lambda: any({who["identity"] for who in event["speakers"]} == {"door", "panel"}
                               for event in box.events("speakers")))
    since = len(browser.seen)
    box.ask("mute")
    browser.wait_for("speakers", since=since, identities=["panel"])
    box.leave()


def test_whom_to_hear(server, room, browser, kinglet, folder):
    wav = folder / "heard.wav"
    browser.join(server.url, room, "panel-1")
    browser.speak(600)
    other = kinglet("tv", "--input", "tone:800", "--output", "none")
    other.wait_for("local_track_published")
    box = kinglet("door", "--input", "none", "--output", f"wav:{wav}", "--hear", "panel-*")
    box.wait_for("track_subscribed", identity="panel-1")
    time.sleep(1)
    assert not box.events("track_subscribed")[1:], "the rule names others"
    box.ask("subscribe tv")
    tv = box.wait_for("track_subscribed", identity="tv")
    box.ask("hear !panel-1")
    gone = box.wait_for("track_unsubscribed", identity="panel-1")
    box.ask("unsubscribe tv")
    box.wait_for("track_unsubscribed", identity="tv", after=tv)
    assert box.ask("status")["hearing"] == []
    box.ask("hear microphones")
    box.wait_for("track_subscribed", identity="panel-1", after=gone)
    assert box.ask_refused("subscribe TR_nowhere")["code"] == "refused"
    for one in (box, other):
        one.leave()


def test_a_paused_track_is_silent_and_comes_back(server, room, browser, kinglet, folder):
    wav = folder / "heard.wav"
    browser.join(server.url, room, "panel")
    browser.speak(600)
    box = kinglet("door", "--input", "none", "--output", f"wav:{wav}")
    sid = box.wait_for("track_subscribed", identity="panel")["sid"]
    marks = []

    def mark():
        time.sleep(2)
        marks.append(wav.stat().st_size)

    mark()
    box.ask(f"pause {sid}")
    assert box.ask("participants")[0]["tracks"][0]["paused"]
    mark()
    # It holds in a new session as well.
    box.ask("reconnect")
    reconnecting = box.wait_for("reconnecting")
    box.wait_for("reconnected")
    # Its subscription may be there before the session counts as connected.
    box.wait_for("track_subscribed", identity="panel", after=reconnecting)
    mark()
    box.ask(f"resume {sid}")
    mark()
    box.leave()
    samples = read_wav(wav)
    ends = [(size - 44) // 2 for size in marks]
    levels = [tone_levels(samples[end - RATE // 2 : end], [600])[600] for end in ends]
    print("before, paused, reconnected, after: " + ", ".join(f"{level:.0f} dB" for level in levels))
    assert levels[0] > -40 and levels[1] < -60 and levels[2] < -60 and levels[3] > -40


def test_our_track_ends_and_comes_back(server, room, browser, kinglet):
    browser.join(server.url, room, "panel")
    box = kinglet("door", "--input", "tone:900", "--output", "none")
    first = box.wait_for("local_track_published")
    browser.hears("door", 900)
    box.ask("unpublish")
    box.wait_for("local_track_unpublished", by="self", sid=first["sid"])
    browser.wait_for("track_unpublished", identity="door")
    box.ask("publish")
    box.wait_for("local_track_published", after=first)
    browser.hears("door", 900)
    box.leave()


def test_what_was_set_comes_back_in_a_new_session(server, room, browser, kinglet):
    browser.join(server.url, room, "panel")
    box = kinglet("door", "--input", "tone:900", "--output", "none", grants={"canUpdateOwnMetadata": True})
    first = box.wait_for("local_track_published")
    box.ask("name Front door")
    box.ask("attributes lock=open")
    box.ask("mute")
    browser.wait_for("attributes_changed", identity="door", changed={"lock": "open"})
    box.ask("reconnect")
    box.wait_for("reconnected")
    again = box.wait_for("local_track_published", after=first)
    print(f"back after {box.events('reconnected')[0]['gap_ms']} ms")
    seen = "const p = room.remoteParticipants.get('door'); return p && [p.name, p.attributes.lock, p.isMicrophoneEnabled]"
    box.wait_until(lambda: browser.run(seen) == ["Front door", "open", False])
    box.ask("unmute")
    browser.hears("door", 900)
    assert again["sid"] != first["sid"] and box.ask("status")["name"] == "Front door"
    box.leave()


def test_what_a_screen_shows(server, room, browser, kinglet, folder):
    browser.join(server.url, room, "panel")
    browser.speak(600)
    box = kinglet("door", "--input", "tone:900", "--output", f"wav:{folder}/heard.wav")
    box.wait_for("track_subscribed", identity="panel")
    status = box.ask("status")
    assert (status["state"], status["identity"], status["sending"], status["hearing"]) == ("connected", "door", True, ["panel"])
    [panel] = box.ask("participants")
    assert panel["identity"] == "panel" and panel["tracks"][0]["source"] == "microphone" and panel["tracks"][0]["heard"]
    time.sleep(1)
    stats = box.ask("stats")
    assert stats["rss_kb"] > 0 and stats["tracks"][0]["received"] > 10, stats
    box.leave()
