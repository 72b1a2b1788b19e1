"""In the guest: lines that nobody presses, and a GPIO chip that goes while the box drives a line of it, as an expander does
whose plug comes off.

What is down when the box begins is no press; a line that hangs in the air does not ring all day. Whoever asks for the door
after its chip is gone is told that it does not open, and nobody is told that it did. No systemd, no package: kinglets and
the real server on the guest's loopback.
"""
import asyncio
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

from appliance import Appliance  # noqa: E402
from box import Checks, finish, until  # noqa: E402
from kinglet import Kinglet  # noqa: E402
from server import Server  # noqa: E402

FOLDER = Path(sys.argv[1])
DOOR = '[gpio]\ndoor = { line = "GPIO26", pulse_ms = 1000, rpc = "open", allow = ["flat-*"] }'

# With resistors of their own: by its own, this chip would pull the lines up when they are taken.
HANDS = """[gpio]
bell = { line = "GPIO23", press = "call", active_low = true }
privacy = { line = "GPIO25", press = "mute", active_low = true }"""


def pull(line, way):
    subprocess.run(["rig", "pull", line, way], check=True)


async def press(line):
    pull(line, "down")
    await asyncio.sleep(0.2)
    pull(line, "up")
    await asyncio.sleep(0.2)


async def begins_as_it_is(box):
    """Both buttons are held down, or stuck, at power-on and over a reload: nothing rings, and privacy is kept."""
    box.ask("mute")
    await asyncio.sleep(1)
    box.stop()
    for line in ("GPIO23", "GPIO25"):
        pull(line, "down")
    box.start()
    await asyncio.sleep(2)
    box.change(('line = "GPIO25", press', 'line = "GPIO25", hold = "call", press'))
    assert box.ask("reload")["anew_for"] == []
    await asyncio.sleep(2)
    box.change(('line = "GPIO25", hold = "call", press', 'line = "GPIO25", press'))
    box.ask("reload")
    await asyncio.sleep(1)
    for line in ("GPIO25", "GPIO23"):
        pull(line, "up")
    await asyncio.sleep(1)
    acted = [event for name in ("button", "ringing", "call_missed") for event in box.events(name)]
    assert not acted and box.ask("status")["privacy"] is True, acted
    assert (FOLDER / "hands.state/muted").read_text() == "yes\n"
    await press("GPIO25")
    assert box.ask("status")["privacy"] is False
    return "still private after a start and two reloads with both buttons down; a press after that ends it"


async def is_held_back(box):
    """The bell's line hangs in the air beside mains for 20 s, and then without a pause."""
    [pull_of] = [Path(subprocess.run(["rig", "where", "GPIO23"], capture_output=True, text=True).stdout.strip()) / "pull"]
    for _ in range(1000):
        for way in ("pull-down", "pull-up"):
            pull_of.write_text(way)
            await asyncio.sleep(0.01)
    for _ in range(1000):
        for way in ("pull-down", "pull-up"):
            pull_of.write_text(way)
    buttons, rung = len(box.events("button")), len(box.events("ringing"))
    warnings = [event["text"] for event in box.events("warning") if "chatters" in event["text"]]
    # The two of before are somebody's.
    assert buttons <= 22 and rung <= 5 and len(warnings) == 1, (buttons, rung, warnings)
    began = time.monotonic()
    await until("it is heard again", lambda: [event for event in box.events("log") if "is quiet" in event["text"]])
    quiet_s = time.monotonic() - began
    if box.ask("status")["call"]["state"] != "idle":
        box.ask("hangup")
    await press("GPIO23")
    await until("it rings", lambda: len(box.events("ringing")) == rung + 1)
    box.ask("hangup")
    return f"{buttons} lines and {rung} rings in 20 s; heard again after {quiet_s:.1f} s; {warnings[0]}"


async def is_told(door, flat):
    def warnings(words):
        return [event["text"] for event in door.events("warning") if words in event["text"]]

    flat.wait_for("participant_joined", identity="door")
    assert flat.ask("rpc door open") == {"payload": ""}
    await until("driven", lambda: door.events("output_pulsed"))
    chip = Path("/sys/kernel/config/gpio-sim/box/dev_name").read_text()
    Path("/sys/bus/platform/drivers/gpio-sim/unbind").write_text(chip)
    await until("it reports that the output does not rest", lambda: warnings("an output cannot be set to rest"))
    # Twice: the first is not remembered as one that drives it.
    refused = [flat.ask_refused("rpc door open")["message"] for _ in range(2)]
    assert refused == ["1500 the output's line could not be driven"] * 2, refused
    assert door.ctl("pulse", "door")["error"]["message"] in refused[0]
    await until("why is told each time", lambda: len(warnings("an output cannot be driven")) == 3)
    told = warnings("an output")
    assert len(told) == 4 and all("No such device" in text for text in told), told
    assert len(door.events("output_pulsed")) == 1
    return f"who calls is told: {refused[0]}; who watches: {told[0]}; {told[1]}"


async def main():
    check = Checks("lines")
    subprocess.run(["rig", "lines", "GPIO26", "GPIO23", "GPIO25"], check=True)
    for line in ("GPIO23", "GPIO25"):
        pull(line, "up")
    server = Server(FOLDER)
    hands = Appliance(FOLDER, server.url, "house", identity="hands", call='join = "on-ring"', more=HANDS, input="none")
    await check("begins-as-it-is", begins_as_it_is, hands)
    await check("is-held-back", is_held_back, hands)
    hands.stop()
    door = Appliance(FOLDER, server.url, "house", more=DOOR, input="none")
    flat = Kinglet(FOLDER, server.url, "house", "flat-1", "--input", "none", "--output", "none")
    await check("gone", is_told, door, flat)
    finish(1 if check.failed else 0)


asyncio.run(main())
