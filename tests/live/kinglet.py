"""A kinglet process, its events, and its control input."""
import json
import os
import subprocess
import time
from pathlib import Path

from admin import Announced
from server import KEY, SECRET, token

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("KINGLET_BINARY", ROOT / "target/release/kinglet")).resolve()
ENVIRONMENT = {"PATH": os.environ["PATH"], "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}


class Kinglet:
    """`kinglet join`, running. Its events go to a file, its stdin takes commands."""

    def __init__(self, folder, url, room, identity, *arguments, grants=None, prefix=()):
        folder.mkdir(parents=True, exist_ok=True)
        self.identity, self.url, self.room = identity, url, room
        self.path = folder / f"{identity}-{time.monotonic_ns()}.jsonl"
        self.errors = self.path.with_suffix(".err")
        who = ["--room", room, "--identity", identity]
        if grants is not None:
            who = ["--token", token(room, identity, **grants)]
        command = [*prefix, BINARY, "join", url, *who, "--control", "-"]
        command += ["--events", f"json:{self.path}", *map(str, arguments)]
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command, env=ENVIRONMENT, stdin=subprocess.PIPE, stderr=self.errors.open("w"), text=True
        )

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        """Gives a command and waits for its answer: the result."""
        answer = self._answer(line)
        assert answer["ok"], f"{answer}; {self.report()}"
        return answer.get("result")

    def ask_refused(self, line):
        """Gives a command that cannot be carried out: the error."""
        answer = self._answer(line)
        assert not answer["ok"], f"{answer}; {self.report()}"
        return answer["error"]

    def _answer(self, line):
        before = len([event for event in self.events("command_result") if event["command"] == line])
        self.tell(line)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            answers = [event for event in self.events("command_result") if event["command"] == line]
            if len(answers) > before:
                return answers[before]
            time.sleep(0.02)
        raise AssertionError(f"{self.identity}: no answer to {line}; {self.report()}")

    def events(self, name=None):
        if not self.path.exists():
            return []
        # The last line may still be on its way, cut anywhere, in the middle of a letter too.
        lines = self.path.read_bytes().split(b"\n")[:-1]
        events = [json.loads(line) for line in lines]
        return [event for event in events if name in (None, event["event"])]

    def wait_for(self, name, /, timeout_s=20, after=None, **members):
        """The first event of this name with these members, later than the event `after`."""
        deadline = time.monotonic() + timeout_s
        awaited = members.get("identity") if name == "participant_joined" else None
        announced = Announced(self.url, self.room, awaited)
        while time.monotonic() < deadline:
            announced.again()
            for event in self.events(name):
                if after and event["t_ms"] <= after["t_ms"]:
                    continue
                if all(event.get(key) == value for key, value in members.items()):
                    return event
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"{self.identity}: no {name} {members}; {self.report()}")

    def wait_until(self, is_so, timeout_s=20):
        deadline = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline, self.report()
            time.sleep(0.05)

    def end(self, timeout_s=30):
        """Waits for the end; the exit status."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.identity} does not end; {self.report()}") from None

    def leave(self):
        self.tell("leave")
        assert self.end() == 0, self.report()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def report(self):
        events = [json.dumps(event)[:200] for event in self.events()][-12:]
        return "\n".join([f"status {self.process.poll()}", self.errors.read_text()[-500:], *events])
