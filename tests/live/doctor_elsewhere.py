"""`kinglet doctor` over a wire to a server that tells of 127.0.0.1 only: doctor_elsewhere.py FOLDER

Prints what was found, as JSON: a line with everything open, a line with TCP only. Runs in a namespace of its own (`far.py`).
"""
import subprocess
import sys
from pathlib import Path

from far import NEAR, Far
from kinglet import BINARY
from server import Server
from test_doctor import configuration


def main(folder):
    far = Far()
    server = Server(folder, bind_addresses=("127.0.0.1", NEAR), is_loopback=False)
    try:
        path = configuration(folder, f"ws://{NEAR}:{server.port}", "elsewhere")
        for passes in ("all", "tcp"):
            far.meet(passes=passes)
            subprocess.run([*far.prefix, BINARY, "doctor", "--config", path, "--json"], check=False)
    finally:
        server.stop()
        far.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
