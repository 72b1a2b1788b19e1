"""With the official JavaScript SDK in Chromium as the other party."""
from sound import read_wav, tone_levels

UNHEARD_DB = -70


def test_both_hear_each_other_and_see_the_mutes(server, room, browser, kinglet, folder):
    browser.join(server.url, room, "panel")
    browser.speak(600)
    box = kinglet("door", "--input", "tone:900", "--output", f"wav:{folder}/heard.wav")
    box.wait_for("track_subscribed", identity="panel")
    browser.wait_for("track_subscribed", identity="door")
    box.wait_for("heard_by")
    print(f"door heard at {browser.hears('door', 900):.0f} dB")
    assert browser.levels("door", [600])[600] < UNHEARD_DB, "it hears the box, not itself"

    box.tell("mute")
    browser.wait_for("track_muted", identity="door")
    browser.hears("door", 900, is_heard=False)
    box.tell("unmute")
    browser.wait_for("track_unmuted", identity="door")
    browser.hears("door", 900)

    browser.set_muted(True)
    box.wait_for("track_muted", identity="panel")
    browser.set_muted(False)
    box.wait_for("track_unmuted", identity="panel")
    for identity in ("door", "panel"):
        box.wait_for("connection_quality", identity=identity)
    box.leave()
    browser.wait_for("participant_disconnected", identity="door")
    heard = tone_levels(read_wav(folder / "heard.wav"), [600, 900])
    assert heard[600] > -35 and heard[900] < UNHEARD_DB, heard
