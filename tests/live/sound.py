"""Sound to say, and how to tell whether it was heard. All of it 48 kHz mono, float32 in -1..1."""
import asyncio
import hashlib
import subprocess
import time
import wave
from pathlib import Path

import numpy as np

RATE = 48_000
WINDOW_S = 0.5
TEXT = (
    "The north wind and the sun were disputing which was the stronger, when a traveller came along wrapped in a "
    "warm cloak. They agreed that the one who first succeeded in making the traveller take his cloak off should be "
    "considered stronger than the other. Then the north wind blew as hard as he could, but the more he blew the more "
    "closely did the traveller fold his cloak around him; and at last the north wind gave up the attempt. Then the "
    "sun shone out warmly, and immediately the traveller took off his cloak."
)


def speech(seconds, folder, voice="en"):
    """Spoken English of exactly this length, as (samples, WAV file)."""
    folder.mkdir(parents=True, exist_ok=True)
    spoken = folder / f"espeak-{voice}-{hashlib.sha1(TEXT.encode()).hexdigest()[:8]}.wav"
    if not spoken.exists():
        subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", spoken, TEXT], check=True)
    samples = read_wav(spoken)
    repeats = int(np.ceil(seconds * RATE / len(samples)))
    samples = np.tile(samples, repeats)[: int(seconds * RATE)] * 0.7
    path = folder / f"speech-{seconds:g}s.wav"
    write_wav(path, samples)
    return samples, path


def tone(hertz, seconds, level=0.25):
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def read_wav(path):
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2 and file.getnchannels() == 1, f"{path} is not s16 mono"
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    if rate == RATE:
        return samples
    spectrum = np.fft.rfft(samples)
    length = round(len(samples) * RATE / rate)
    padded = np.zeros(length // 2 + 1, complex)
    padded[: min(len(spectrum), len(padded))] = spectrum[: len(padded)]
    return (np.fft.irfft(padded, length) * length / len(samples)).astype(np.float32)


class Recording:
    """A WAV file (48 kHz, mono) that kinglet is still writing; its length is the time."""

    def __init__(self, path):
        self.path = path

    def samples(self):
        data = self.path.read_bytes()[44:] if self.path.exists() else b""
        return np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / 32768

    async def hears_on(self, after, seconds=0.5, timeout_s=60):
        """Waits until this much lies behind the sample `after` without a hole of 10 ms; where it ends."""
        count = int(seconds * RATE)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            samples = self.samples()
            if len(samples) >= after + count and longest_silence(samples[-count:], ends_count=True) == 0:
                return len(samples)
            await asyncio.sleep(0.05)
        raise AssertionError(f"{self.path.name}: nothing is heard for {seconds} s behind {after / RATE:.2f} s")


def write_wav(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def correlate(said, heard, reach):
    """Best normalised correlation of `said` inside `heard`, and where, looking `reach` samples both ways."""
    size = 1 << int(np.ceil(np.log2(len(said) + len(heard))))
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)
    shifts = np.arange(-min(reach, len(said) - 1), min(reach, len(heard) - 1) + 1)
    energy = np.concatenate([[0], np.cumsum(heard.astype(np.float64) ** 2)])
    starts, ends = np.clip(shifts, 0, len(heard)), np.clip(shifts + len(said), 0, len(heard))
    norm = np.sqrt(np.maximum(energy[ends] - energy[starts], 1e-9) * max(float(np.sum(said**2)), 1e-9))
    scores = product[shifts] / norm
    best = int(np.argmax(scores))
    return float(scores[best]), int(shifts[best])


class Likeness:
    """How like what was said is what was heard: `median` of half-second windows, and the delay between.

    Each window is aligned by itself, within `slack_s`: jitter buffers stretch and shorten pauses. Windows in which
    nothing is said do not count; windows that were not recorded count as unlike.
    """

    def __init__(self, said, heard, slack_s=0.06):
        _, self.offset = correlate(said, heard, len(heard))
        slack, window = int(slack_s * RATE), int(WINDOW_S * RATE)
        self.scores, self.shifts = [], []
        for start in range(0, len(said) - window + 1, window):
            piece = said[start : start + window]
            if np.sqrt(np.mean(piece**2)) < 0.01:
                continue
            first = self.offset + start - slack
            around = heard[max(first, 0) : max(first, 0) + window + 2 * slack]
            if len(around) < window:
                self.scores.append(0.0)
                continue
            score, shift = correlate(piece, around, 2 * slack)
            self.scores.append(score)
            self.shifts.append(max(first, 0) + shift - start)
        self.windows = len(self.scores)
        self.median = float(np.median(self.scores)) if self.scores else 0.0

    @property
    def delay_ms(self):
        """Median place of the windows in what was heard, later than in what was said."""
        return 1000 * float(np.median(self.shifts)) / RATE if self.shifts else float("nan")


def first_sound(samples, level=0.01):
    """Index of the first sample above `level`, or None."""
    above = np.flatnonzero(np.abs(samples) > level)
    return int(above[0]) if len(above) else None


def first_loud_ms(samples, level=0.02):
    """When the first sound begins, in steps of 10 ms."""
    blocks = np.abs(samples[: len(samples) // 480 * 480].reshape(-1, 480)).max(axis=1)
    return 10 * int(np.argmax(blocks > level))


def longest_silence(samples, level=0.02, ends_count=False):
    """Longest stretch in ms, in steps of 10 ms, without a sample above `level`: between the first and the last of
    them, or all over `samples`."""
    blocks = np.abs(samples[: len(samples) // 480 * 480].reshape(-1, 480)).max(axis=1) > level
    loud = np.flatnonzero(blocks)
    if ends_count:
        loud = np.concatenate([[-1], loud, [len(blocks)]])
    return 10 * int(np.diff(loud).max() - 1) if len(loud) > 1 else None


def tone_levels(samples, hertz):
    """Level in dB of each of these tones in `samples`."""
    window = np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(samples * window)) / (np.sum(window) / 2)
    bins = np.fft.rfftfreq(len(samples), 1 / RATE)
    levels = {}
    for pitch in hertz:
        near = np.abs(bins - pitch) < 8
        levels[pitch] = 20 * np.log10(max(float(spectrum[near].max()), 1e-9))
    return levels
