#!/usr/bin/env python3
"""What is said in the calls on the emulated board, and whether it was heard.

    judge.py speech FOLDER SECONDS           writes what Alice and Bob say
    judge.py call FOLDER CORRELATION_MIN [CONCEALED_PERMILLE_MAX]
                                             judges what call.sh left in FOLDER
    judge.py gap FOLDER FROM_S TO_S WITHIN_S whether what was cut in that time is heard again soon after
    judge.py minutes FOLDER                  judges a long call minute by minute
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
from sound import RATE, Likeness, correlate, read_wav, speech, write_wav  # noqa: E402

DIRECTIONS = [("alice", "bob"), ("bob", "alice")]
PROBE_SPREAD_MS_MAX = 1.0
MOUTH_TO_EAR_MS_MAX = 250
# From the moment the old address is gone; it takes 100 ms until there is a new one.
ROAM_MS_MAX = 2000
# call.sh makes Alice's cards 300 ppm fast and Bob's as slow.
DRIFT_PPM = 600
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

    def spread(self, likeness):
        """Mouth to ear of the windows, for people."""
        delays_ms = 1000 * np.array(likeness.shifts) / RATE - self.probe.delay_ms
        middle, late, latest = np.percentile(delays_ms, [50, 95, 100])
        return f"mouth to ear p50 {middle:.1f} ms, p95 {late:.1f}, max {latest:.1f}"

    def stats(self, party):
        lines = (self.folder / f"{party}.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == "stats"]


def result(good, name, figures):
    print("ok" if good else "FAILED", name, figures, flush=True)


def judge_speech(folder, seconds):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    alice, bob = (speech(float(seconds), folder, voice)[0] for voice in ("en", "en+f3"))
    write_wav(folder / "alice-says.wav", alice)
    # The same words at another time: who hears himself is found out. In a voice of his own: two of one pitch are an
    # echo of each other for the time of a vowel, and a canceller has a reason to doubt.
    write_wav(folder / "bob-says.wav", np.roll(bob, len(bob) // 3))


def judge_call(folder, correlation_min, concealed_permille_max=0.0):
    call = Call(folder)
    spread_ms = 1000 * float(np.ptp(call.probe.shifts)) / RATE
    result(
        call.probe.median > 0.99 and spread_ms <= PROBE_SPREAD_MS_MAX,
        f"{call.name}-probe",
        f"correlation {call.probe.median:.3f}, spread {spread_ms:.2f} ms",
    )
    for speaker, listener in DIRECTIONS:
        likeness = call.heard(speaker, listener)
        result(
            likeness.median >= float(correlation_min) and 0 < call.mouth_to_ear_ms(likeness) < MOUTH_TO_EAR_MS_MAX,
            f"{call.name}-{speaker}-to-{listener}",
            f"correlation {likeness.median:.3f} in {likeness.windows} windows, {call.spread(likeness)}",
        )
    judge_counters(call, float(concealed_permille_max))


def judge_counters(call, concealed_permille_max):
    for party, _ in DIRECTIONS:
        stats = call.stats(party)
        into, out = (sum(event[name] for event in stats) for name in ("xruns_in", "xruns_out"))
        result(
            len(stats) > 0 and into == 0 and out == 0,
            f"{call.name}-{party}-xruns",
            f"{into} of the microphone, {out} of the loudspeaker, in {len(stats)} stats",
        )
        # Time stands still while a busy machine computes: what is concealed here is our own doing, or asked for.
        tracks = [track for event in stats for track in event["tracks"]]
        received, lost = (sum(track[name] for track in tracks) for name in ("received", "lost"))
        concealed = float(np.mean([track["concealed_permille"] for track in tracks])) if tracks else 1000.0
        result(
            concealed <= concealed_permille_max and (lost == 0 or concealed_permille_max > 0),
            f"{call.name}-{party}-concealed",
            f"{concealed:.2f} permille, {lost} of {received} packets lost",
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


def judge_gap(folder, from_s, to_s, within_s):
    """Quarters of a second: unlike from the cut on, like again soon after its end, and like from then on."""
    call, from_s, to_s = Call(folder), float(from_s), float(to_s)
    for speaker, listener in DIRECTIONS:
        said, heard = call.read(f"{speaker}-says"), call.read(f"{listener}-hears")
        starts, scores = scores_from(said, heard, int(min(from_s, 8) * RATE))
        before, after = scores[starts < from_s - 1], scores[starts >= to_s]
        is_back = np.flatnonzero(after >= 0.5)
        back_s = starts[starts >= to_s][is_back[0]] - to_s if len(is_back) else float("inf")
        since = after[is_back[0] :] if len(is_back) else np.zeros(1)
        result(
            np.median(before) >= 0.8 and back_s <= float(within_s) and np.median(since) >= 0.8,
            f"{call.name}-{speaker}-to-{listener}",
            f"heard again {back_s:.2f} s after the end of the cut; correlation {np.median(before):.2f} before, "
            f"{np.median(since):.2f} after",
        )


def judge_minutes(folder):
    """A long call between a fast and a slow board: the first half minute finds the place, all that follows must be where
    the clocks say, within 60 ms."""
    call = Call(folder)
    for speaker, listener in DIRECTIONS:
        said, heard = call.read(f"{speaker}-says"), call.read(f"{listener}-hears")
        ppm = -DRIFT_PPM if speaker == "alice" else DRIFT_PPM
        starts, scores = scores_from(said, heard, 30 * RATE, window_s=0.5, slack_s=0.06, ppm=ppm)
        minutes = [float(np.median(scores[starts // 60 == minute])) for minute in range(int(starts[-1] // 60) + 1)]
        result(
            min(minutes) >= 0.9,
            f"{call.name}-{speaker}-to-{listener}",
            f"correlation by minute {' '.join(f'{score:.2f}' for score in minutes)}",
        )
    judge_counters(call, 0.0)


def scores_from(said, heard, aligned, window_s=0.25, slack_s=0.25, ppm=0):
    """Where windows with sound begin, in seconds, and how like they were heard; placed by the first `aligned` samples."""
    # What is said repeats itself: only the first three seconds can hold its beginning.
    _, offset = correlate(said[:aligned], heard[: aligned + 3 * RATE], 3 * RATE)
    window, slack = int(window_s * RATE), int(slack_s * RATE)
    starts, scores = [], []
    for start in range(0, len(said) - window + 1, window):
        piece = said[start : start + window]
        if np.sqrt(np.mean(piece**2)) < 0.02:
            continue
        # Of clocks so far apart one hears half a second by up to 14 samples longer: as long as that it is looked for.
        piece = np.interp(np.arange(window) / (1 + ppm * 1e-6), np.arange(window), piece)
        place = offset + start + int(start * ppm * 1e-6)
        first = max(place - slack, 0)
        around = heard[first : place + window + slack]
        starts.append(start / RATE)
        scores.append(correlate(piece, around, 2 * slack)[0] if len(around) >= window else 0.0)
    return np.array(starts), np.array(scores)


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
        "speech": judge_speech,
        "call": judge_call,
        "heard": judge_heard,
        "gap": judge_gap,
        "minutes": judge_minutes,
        "agree": judge_agree,
        "pauses": judge_pauses,
        "roam": judge_roam,
    }
    verbs[sys.argv[1]](*sys.argv[2:])
