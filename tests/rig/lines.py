"""In the guest: a GPIO chip goes while the box holds its lines, as an expander does whose plug comes off.

Whoever asks for the door from then on is told that it does not open, and nobody is told that it did. No systemd, no
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
DOOR = '[gpio]\ndoor = { line = "GPIO17", pulse_ms = 500, rpc = "open", allow = ["flat-*"] }'


async def is_told(door, flat):
    flat.wait_for("participant_joined", identity="door")
    value = Path(subprocess.check_output(["rig", "where", "GPIO17"], text=True).strip()) / "value"
    assert flat.ask("rpc door open") == {"payload": ""}
    await until("driven", lambda: door.events("output_pulsed"))
    await until("at rest", lambda: int(value.read_text()) == 0, 5, 0.02)
    chip = Path("/sys/kernel/config/gpio-sim/box/dev_name").read_text()
    Path("/sys/bus/platform/drivers/gpio-sim/unbind").write_text(chip)
    # Twice: the first is not remembered as one that drives it.
    refused = [flat.ask_refused("rpc door open")["message"] for _ in range(2)]
    assert refused == ["1500 the output's line could not be driven"] * 2, refused
    assert door.ctl("pulse", "door")["error"]["message"] in refused[0]

    def warnings():
        return [event["text"] for event in door.events("warning") if "an output cannot be driven" in event["text"]]

    await until("why is told each time", lambda: len(warnings()) == 3)
    assert all("No such device" in text for text in warnings()), warnings()
    assert len(door.events("output_pulsed")) == 1
    return f"who calls is told: {refused[0]}; who watches: {warnings()[0]}"


async def main():
    check = Checks("lines")
    subprocess.run(["rig", "lines", "GPIO17"], check=True)
    server = Server(FOLDER)
    door = Appliance(FOLDER, server.url, "house", more=DOOR, input="none")
    flat = Kinglet(FOLDER, server.url, "house", "flat-1", "--input", "none", "--output", "none")
    await check("gone", is_told, door, flat)
    finish(1 if check.failed else 0)


asyncio.run(main())
