"""`kinglet run` with a configuration of the test's own, and `kinglet ctl` to it."""
import json
import os
import shutil
import subprocess
import time

from admin import Announced
from kinglet import BINARY
from server import KEY, SECRET

CONFIG = """
[server]
url = "{url}"
token = {token}
room = "{room}"
identity = "{identity}"
[audio]
input = "{input}"
output = "{output}"
[call]
{call}
[control]
socket = "{socket}"
{more}
"""


class Appliance:
    """A box that runs, and everything that `ctl watch` says of it."""

    def __init__(self, folder, url, room, identity="door", call="", more="", environment=None, input="tone:440",
                 output="none", token=None, prefix=()):
        folder.mkdir(parents=True, exist_ok=True)
        self.url, self.room = url, room
        self.socket = folder / f"{identity}.socket"
        self.journal = folder / f"{identity}.log"
        self.journal.unlink(missing_ok=True)
        key_file = folder / "key"
        key_file.write_text(f"LIVEKIT_API_KEY={KEY}\nLIVEKIT_API_SECRET={SECRET}\n")
        self.config = folder / f"{identity}.toml"
        text = CONFIG.format(
            url=url, room=room, identity=identity, socket=self.socket, call=call, more=more,
            input=input, output=output, token=token or f'{{ key_file = "{key_file}" }}',
        )
        # Where nobody says where the server is, there is no such line.
        self.config.write_text(text if url else text.replace('url = "None"\n', ""))
        state = folder / f"{identity}.state"
        # What an earlier run left is not this box's memory.
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        self.environment = {"PATH": os.environ["PATH"], "STATE_DIRECTORY": str(state), **(environment or {})}
        self.prefix = prefix
        self.processes = []
        self.start()

    def start(self):
        # One that was left behind by a kill would be taken for the new one's.
        self.socket.unlink(missing_ok=True)
        journal = self.journal.open("a")
        command = [*self.prefix, BINARY, "run", "--config", self.config]
        self.process = subprocess.Popen(command, env=self.environment, stdout=journal, stderr=journal)
        self.processes.append(self.process)
        deadline = time.monotonic() + 20
        while not self.socket.exists():
            assert time.monotonic() < deadline and self.process.poll() is None, self.journal.read_text()
            time.sleep(0.02)
        self.watched = self.socket.with_suffix(f".{len(self.processes)}.events")
        watch = [BINARY, "ctl", "--socket", self.socket, "--json", "watch"]
        self.processes.append(subprocess.Popen(watch, stdout=self.watched.open("w"), stderr=subprocess.DEVNULL))
        # The answer comes first: from then on nothing is missed.
        while not self.watched.read_bytes():
            assert time.monotonic() < deadline, self.journal.read_text()
            time.sleep(0.02)

    def ctl(self, *words):
        """The answer to a command."""
        command = [BINARY, "ctl", "--socket", self.socket, "--json", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=40)
        answer = json.loads(done.stdout)
        assert done.returncode == (0 if answer["ok"] else 1), done
        return answer

    def ask(self, *words):
        answer = self.ctl(*words)
        assert answer["ok"], answer
        return answer.get("result")

    def wait_until_in_room(self):
        """Who begins to watch may miss how it entered."""
        deadline = time.monotonic() + 20
        while self.ask("status")["state"] != "connected":
            assert time.monotonic() < deadline, self.journal.read_text()
            time.sleep(0.05)

    def events(self, name=None):
        # The last line may still be on its way, cut anywhere, in the middle of a letter too.
        lines = self.watched.read_bytes().split(b"\n")[1:-1]
        events = [json.loads(line) for line in lines]
        return [event for event in events if name in (None, event["event"])]

    def wait_for(self, name, timeout_s=30, count=1, **members):
        """The `count`th event of this name with these members."""
        deadline = time.monotonic() + timeout_s
        awaited = members.get("identity") if name == "participant_joined" else None
        announced = Announced(self.url or "", self.room, awaited)
        while time.monotonic() < deadline:
            announced.again()
            found = [
                event
                for event in self.events(name)
                if all(event.get(key) == value for key, value in members.items())
            ]
            if len(found) >= count:
                return found[count - 1]
            time.sleep(0.05)
        raise AssertionError(f"no {name} {members}; {self.events()[-10:]}\n{self.journal.read_text()[-2000:]}")

    def wait_for_line(self, words, timeout_s=20, count=1):
        """The `count`th line of the journal with these words in it."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = [line for line in self.journal.read_text().splitlines() if words in line]
            if len(found) >= count:
                return found[count - 1]
            assert time.monotonic() < deadline, f"no {words}; {self.journal.read_text()}"
            time.sleep(0.05)

    def change(self, *changes):
        """Changes the configuration's file: pairs of what stands there and what shall."""
        text = self.config.read_text()
        for before, after in changes:
            assert before in text, before
            text = text.replace(before, after)
        self.config.write_text(text)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(10) == 0, self.journal.read_text()

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
