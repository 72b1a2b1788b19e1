"""The other party: a participant made with the official JavaScript SDK, in a headless Chromium."""
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

from admin import Announced
from server import token

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "target/browser"


class Browser:
    """One page with one room. `run` runs JavaScript in it; what the page notes by itself is in `seen`.

    A browser takes a second to start, so one is shared by the tests of a file: each begins with `join`.
    With an `address` it is a phone that shows the page there, and `more` are arguments of Chromium.
    """

    def __init__(self, folder, address="", *more):
        folder.mkdir(parents=True, exist_ok=True)
        self.errors = folder / "browser.err"
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        script = Path(__file__).with_name("browser.mjs")
        self.process = subprocess.Popen(
            ["node", script, PACKAGES.resolve(), chromium, address, *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors.open("w"), text=True,
            env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        )
        self.seen = []
        self.answers = {}
        self.asked = 0
        self.url = self.room = ""
        self.is_over = False
        self.news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.wait_for("ready", timeout_s=60)

    def run(self, code, argument=None, timeout_s=30):
        """The value of an async function body; `argument` is there under this name."""
        return self._ask({"code": code, "argument": argument}, timeout_s)

    def join(self, url, room, identity, **grants):
        """Joins, on a fresh page, so that nothing of an earlier room is left."""
        self.run("await room.disconnect()")
        self._ask({"reload": True}, timeout_s=30)
        self.seen.clear()
        self.identity, self.url, self.room = identity, url, room
        grant = {"canUpdateOwnMetadata": True, **grants}
        return self.run("return join(...argument)", [url, token(room, identity, **grant)])

    def speak(self, hz, **options):
        return self.run("return speak(...argument)", [hz, options])

    def set_muted(self, muted):
        self.run("await (argument ? microphone.mute() : microphone.unmute())", muted)

    def levels(self, identity, pitches):
        """Loudness of each pitch in what `identity` says now, in dB below full scale."""
        levels = self.run("return levels(...argument)", [identity, list(pitches)])
        return dict(zip(pitches, levels or [-200] * len(pitches)))

    def hears(self, identity, hz, timeout_s=15, is_heard=True, threshold_db=-50):
        """Waits until `identity` is heard at this pitch, or is not."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            level_db = self.levels(identity, [hz])[hz]
            if (level_db > threshold_db) == is_heard:
                return level_db
            time.sleep(0.1)
        raise AssertionError(f"{identity} at {hz} Hz is at {level_db:.0f} dB; {self.report()}")

    def wait_for(self, name, /, timeout_s=20, since=0, **members):
        """The first note of this name with these members, from place `since` of `seen` on."""
        def find():
            for note in self.seen[since:]:
                if note["seen"] == name and all(note.get(key) == value for key, value in members.items()):
                    return note
            return None

        deadline = time.monotonic() + timeout_s
        awaited = members.get("identity") if name == "participant_connected" else None
        announced = Announced(self.url, self.room, awaited)
        while not (note := find()) and not self.is_over and time.monotonic() < deadline:
            announced.again()
            with self.news:
                self.news.wait_for(lambda: find() or self.is_over, min(0.2, max(0, deadline - time.monotonic())))
        if note is None:
            raise AssertionError(f"the browser has not seen {name} {members}; {self.report()}")
        return note

    def tap(self, selector, hold_ms=50):
        self._ask({"tap": selector, "hold_ms": hold_ms}, timeout_s=30)

    def screenshot(self, path):
        self._ask({"screenshot": str(path)}, timeout_s=30)

    def leave(self):
        self.run("await room.disconnect()")

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def report(self):
        notes = [json.dumps(note)[:200] for note in self.seen[-12:]]
        return "\n".join([f"status {self.process.poll()}", self.errors.read_text()[-800:], *notes])

    def _ask(self, what, timeout_s):
        self.asked += 1
        asked = self.asked
        self.process.stdin.write(json.dumps({"id": asked, **what}) + "\n")
        self.process.stdin.flush()
        with self.news:
            if not self.news.wait_for(lambda: asked in self.answers or self.is_over, timeout_s):
                raise AssertionError(f"no end of: {what}; {self.report()}")
            answer = self.answers.pop(asked, {"error": "the browser ended"})
        if "error" in answer:
            raise AssertionError(f"{answer['error']}; {self.report()}")
        return answer["value"]

    def _read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            with self.news:
                if "id" in said:
                    self.answers[said["id"]] = said
                else:
                    self.seen.append(said)
                self.news.notify_all()
        with self.news:
            self.is_over = True
            self.news.notify_all()
