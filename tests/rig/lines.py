"""In the guest: a GPIO chip goes while the box drives a line of it, as an expander does whose plug comes off.

Whoever asks for the door after that is told that it does not open, and nobody is told that it did. No systemd, no
package: two kinglets and the real server on the guest's loopback.
"""
import asyncio
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

from appliance import Appliance  # noqa: E402
from box import Checks, finish, until  # noqa: E402
from kinglet import Kinglet  # noqa: E402
from server import Server  # noqa: E402

FOLDER = Path(sys.argv[1])
DOOR = '[gpio]\ndoor = { line = "GPIO17", pulse_ms = 1000, rpc = "open", allow = ["flat-*"] }'


async def is_told(door, flat):
    def warnings(words):
        return [event["text"] for event in door.events("warning") if words in event["text"]]

    flat.wait_for("participant_joined", identity="door")
    assert flat.ask("rpc door open") == {"payload": ""}
    await until("driven", lambda: door.events("output_pulsed"))
    chip = Path("/sys/kernel/config/gpio-sim/box/dev_name").read_text()
    Path("/sys/bus/platform/drivers/gpio-sim/unbind").write_text(chip)
    await until("it is told that it does not rest", lambda: warnings("an output cannot be let go of"))
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
    subprocess.run(["rig", "lines", "GPIO17"], check=True)
    server = Server(FOLDER)
    door = Appliance(FOLDER, server.url, "house", more=DOOR, input="none")
    flat = Kinglet(FOLDER, server.url, "house", "flat-1", "--input", "none", "--output", "none")
    await check("gone", is_told, door, flat)
    finish(1 if check.failed else 0)


asyncio.run(main())
