#!/usr/bin/env python3
"""What is said in the calls on the emulated board, and whether it was heard.

    judge.py speech FOLDER SECONDS           writes what Alice and Bob say
    judge.py call FOLDER CORRELATION_MIN     judges what call.sh left in FOLDER
    judge.py agree FOLDER FOLDER             whether two calls sound alike
    judge.py heard FOLDER CORRELATION_MIN    judges only what was heard, not when
    judge.py pauses FOLDER FOLDER            whether the second sent less than the first before anybody spoke
    judge.py roam FOLDER                     judges what roam.sh left: how long nothing was heard

Prints a line for each check, `ok NAME figures` or `FAILED NAME figures`.

Mouth to ear is the time from the moment a sample plays on the cable of the microphone card to the moment it plays on
the cable of the loudspeaker card. call.sh starts all recorders at one moment, and all players at another; starting a
program costs no time where the CPU is free (`trigger_time` in /proc/asound: 0.1 ms between the first and the last).
So a recording is late by (players - recorders) + mouth to ear, and that of the probe, a cable without a kinglet, by
(players - recorders) alone. The difference is exact to the 1 ms in which cables move.
"""
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))
from sound import RATE, Likeness, read_wav, speech, write_wav  # noqa: E402

DIRECTIONS = [("alice", "bob"), ("bob", "alice")]
PROBE_SPREAD_MS_MAX = 1.0
MOUTH_TO_EAR_MS_MAX = 250
# From the moment the old address is gone; it takes 100 ms until there is a new one.
ROAM_MS_MAX = 2000
# The phase of 10 ms blocks in 20 ms packets depends on when each party joined.
AGREEMENT_MS = 20


class Recordings:
    """What was said in a call, and heard."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.name = self.folder.name

    def read(self, name):
        return read_wav(self.folder / f"{name}.wav")

    def heard(self, speaker, listener):
        return Likeness(self.read(f"{speaker}-says"), self.read(f"{listener}-hears"))


class Call(Recordings):
    """With the probe and the events."""

    def __init__(self, folder):
        super().__init__(folder)
        self.probe = Likeness(self.read("alice-says"), self.read("probe"))

    def mouth_to_ear_ms(self, likeness):
        return likeness.delay_ms - self.probe.delay_ms

    def stats(self, party):
        lines = (self.folder / f"{party}.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == "stats"]


def result(good, name, figures):
    print("ok" if good else "FAILED", name, figures, flush=True)


def judge_speech(folder, seconds):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    said, _ = speech(float(seconds), folder)
    write_wav(folder / "alice-says.wav", said)
    # The same words at another time: who hears himself is found out.
    write_wav(folder / "bob-says.wav", np.roll(said, len(said) // 3))


def judge_call(folder, correlation_min):
    call = Call(folder)
    spread_ms = 1000 * float(np.ptp(call.probe.shifts)) / RATE
    result(
        call.probe.median > 0.99 and spread_ms <= PROBE_SPREAD_MS_MAX,
        f"{call.name}-probe",
        f"correlation {call.probe.median:.3f}, spread {spread_ms:.2f} ms",
    )
    for speaker, listener in DIRECTIONS:
        likeness = call.heard(speaker, listener)
        delay_ms = call.mouth_to_ear_ms(likeness)
        result(
            likeness.median >= float(correlation_min) and 0 < delay_ms < MOUTH_TO_EAR_MS_MAX,
            f"{call.name}-{speaker}-to-{listener}",
            f"correlation {likeness.median:.3f} in {likeness.windows} windows, mouth to ear {delay_ms:.1f} ms",
        )
    for party, _ in DIRECTIONS:
        stats = call.stats(party)
        into, out = (sum(event[name] for event in stats) for name in ("xruns_in", "xruns_out"))
        result(
            len(stats) > 0 and into == 0 and out == 0,
            f"{call.name}-{party}-xruns",
            f"{into} of the microphone, {out} of the loudspeaker, in {len(stats)} stats",
        )
        # Time stands still while a busy machine computes: what is concealed here is our own doing.
        tracks = [track for event in stats for track in event["tracks"]]
        concealed, lost = (sum(track[name] for track in tracks) for name in ("concealed_permille", "lost"))
        result(
            len(tracks) > 0 and concealed == 0 and lost == 0,
            f"{call.name}-{party}-concealed",
            f"{concealed:g} permille, {lost} of {sum(track['received'] for track in tracks)} packets lost",
        )


def judge_heard(folder, correlation_min):
    call = Recordings(folder)
    for speaker, listener in DIRECTIONS:
        likeness = call.heard(speaker, listener)
        result(
            likeness.median >= float(correlation_min) and likeness.windows > 0,
            f"{call.name}-{speaker}-to-{listener}",
            f"correlation {likeness.median:.3f} in {likeness.windows} windows, in order",
        )


def judge_agree(*folders):
    calls = [Call(folder) for folder in folders]
    for speaker, listener in DIRECTIONS:
        delays_ms = [call.mouth_to_ear_ms(call.heard(speaker, listener)) for call in calls]
        result(
            max(delays_ms) - min(delays_ms) <= AGREEMENT_MS,
            f"calls-agree-{speaker}-to-{listener}",
            "mouth to ear " + " and ".join(f"{delay_ms:.1f}" for delay_ms in delays_ms) + " ms",
        )


def judge_pauses(folder, folder_dtx):
    for party, _ in DIRECTIONS:
        full, less = (
            sum(track["received"] for track in Call(each).stats(party)[0]["tracks"]) for each in (folder, folder_dtx)
        )
        result(less < full / 2, f"dtx-{party}", f"heard {less} packets of silence with DTX, {full} without")


def judge_roam(folder):
    folder = Path(folder)
    for listener in ("alice", "bob"):
        sound = read_wav(folder / f"{listener}-hears.wav")
        # The tone is there in each 20 ms, or it is not.
        blocks = sound[: len(sound) // 960 * 960].reshape(-1, 960)
        silent = np.sqrt((blocks**2).mean(axis=1)) < 0.02
        edges = np.flatnonzero(np.diff(np.concatenate([[False], silent, [False]]).astype(int)))
        gaps_ms = [20 * int(end - start) for start, end in edges.reshape(-1, 2) if start > 100 and end < len(silent)]
        result(
            len(gaps_ms) >= 1 and max(gaps_ms) <= ROAM_MS_MAX,
            f"roam-{listener}",
            f"silent for {gaps_ms} ms",
        )
    events = [json.loads(line) for line in (folder / "alice.jsonl").read_text().splitlines()]
    resumed = [event["gap_ms"] for event in events if event["event"] == "resumed"]
    anew = sum(event["event"] == "reconnected" for event in events)
    result(len(resumed) == 3 and anew == 0, "roam-sessions", f"resumed after {resumed} ms, {anew} new sessions")


if __name__ == "__main__":
    verbs = {
        "speech": judge_speech, "call": judge_call, "heard": judge_heard, "agree": judge_agree, "pauses": judge_pauses,
        "roam": judge_roam,
    }
    verbs[sys.argv[1]](*sys.argv[2:])
