"""What door.py, lines.py, troubles.py and upkeep.py share: the box that runs on the board, its socket, its events, and
waiting for them; and commands of the board. Those are for what nothing else shows: a process takes most of the host's time
in the guest.
"""
import asyncio
import json
import os
import socket
import subprocess
import sys
import time


def ctl(*words):
    """What the box answers to a command, asked as `kinglet ctl` does."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/run/kinglet/control")
        client.sendall(" ".join(words).encode() + b"\n")
        answer = json.loads(client.makefile().readline())
    assert answer["ok"], (words, answer)
    return answer.get("result")


def answers():
    """Whether the box serves its socket."""
    try:
        return ctl("status") is not None
    except OSError:
        return False


def state():
    """How it stands with the room."""
    return ctl("status")["state"] if answers() else "no box"


def said(path, name, since=0):
    """Events of this name that `kinglet ctl --json watch` has written to a file."""
    # The last line may still be on its way, cut in the middle of a letter too.
    lines = path.read_bytes().split(b"\n")[:-1]
    events = [event for event in map(json.loads, lines) if "event" in event]
    return [event for event in events if event["event"] == name][since:]


async def until(what, condition, within_s=30, every_s=0.1):
    """Waits for it, looking now and then; how long that took, in seconds."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() > began + within_s:
            raise AssertionError(f"not within {within_s} s: {what}")
        await asyncio.sleep(every_s)
    return time.monotonic() - began


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def board(*command):
    """What a command says."""
    done = run(*command)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def start(folder, *command, output=subprocess.DEVNULL):
    """A command that goes on; what it complains of is kept in a folder."""
    return subprocess.Popen(command, stdout=output, stderr=(folder / "started.log").open("a"))


def finish(code):
    """Ends without waiting for what was started."""
    sys.stdout.flush()
    os._exit(code)


class Checks:
    """A line for each check."""

    def __init__(self, subject):
        self.subject, self.failed = subject, False

    async def __call__(self, name, action, *arguments):
        try:
            result = action(*arguments)
            figures = await result if asyncio.iscoroutine(result) else result
            print(f"ok {self.subject}-{name} {figures}", flush=True)
        except Exception as error:  # a line for each, whatever it was
            self.failed = True
            print(f"FAILED {self.subject}-{name} {type(error).__name__}: {str(error)[:600]}", flush=True)
