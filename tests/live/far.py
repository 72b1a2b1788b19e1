"""A network namespace at the far end of a wire (`wire.py`); ours is the near one. Both must be of our own:
`unshare --map-root-user --net PROGRAM`."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from server import Server

NEAR = "10.9.0.1"


class Far:
    """The far end; it lives as long as its first process."""

    def __init__(self):
        self.first = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.first.pid}/ns/net") == own:
            time.sleep(0.01)
        program = Path(__file__).with_name("wire.py")
        self.wire = subprocess.Popen(
            [sys.executable, program, str(self.first.pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.wire.stdout.readline() == "ready\n"
        # Before a command: it runs there.
        self.prefix = ["nsenter", f"--net=/proc/{self.first.pid}/ns/net"]

    def meet(self, **quality):
        """What the wire does from now on."""
        self.wire.stdin.write(json.dumps(quality) + "\n")
        self.wire.stdin.flush()
        assert self.wire.stdout.readline() == "met\n"

    def close(self):
        for program in (self.wire, self.first):
            program.kill()
            program.wait()


def near_server(folder):
    """A server that is reached over the wire, and its URL there."""
    server = Server(folder, node_ip=NEAR, bind_addresses=("127.0.0.1", NEAR))
    return server, f"ws://{NEAR}:{server.port}"
