"""Recordings for ``hear_wakewords.py``: words that espeak-ng speaks, noise by sox, mixed here."""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

RATE_HZ = 16_000
WORDS = {
    "okay_nabu": "okay nabu",
    "alexa": "alexa",
    "hey_jarvis": "hey jarvis",
    "hey_mycroft": "hey mycroft",
}
VOICES = ("en-us", "en-gb", "en-gb-scotland", "en-us+f3", "en-us+m3")
WORDS_A_MINUTE = (130, 160, 190)
SNRS_DB = (None, 20, 10)  # None: clean
OTHER_MINUTES = 30
# Among much else, what is nearly one of the words.
PHRASES = (
    "the weather will be fine tomorrow", "okay, maybe not", "hey, Travis", "a lexicon of names",
    "hey, Michael", "turn the lights off in the kitchen", "alas, a letter", "okay Google",
    "we met in November", "hey Siri", "my craft is painting", "okay, now what", "Jarvis has left",
    "nobody knows", "a taxi is on its way", "how long does the train take", "say my name",
    "I like service", "open the door", "they microwave dinner", "one, two, three, four",
    "Alexis is late again", "okay, never mind", "what time is it",
)  # fmt: skip

Sound = npt.NDArray[np.int16]


def refuse_missing() -> None:
    for program in ("espeak-ng", "sox"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed: sudo apt install espeak-ng sox")


def word_files(directory: Path) -> dict[str, list[Path]]:
    """By model: each word in all voices, at all speeds, clean and with noise, a second of which
    goes before and comes after.
    """
    made: dict[str, list[Path]] = {}
    for number, (model, text) in enumerate(WORDS.items()):
        made[model] = []
        noises = random.Random(number)
        for voice, speed in itertools.product(VOICES, WORDS_A_MINUTE):
            spoken = _spoken(text, voice, speed)
            for snr_db in SNRS_DB:
                noise = "clean" if snr_db is None else f"{snr_db}dB"
                path = directory / f"{model}-{voice.replace('+', '-')}-{speed}-{noise}.wav"
                made[model].append(path)
                if not path.exists():
                    _write(path, _with_noise(spoken, snr_db, noises.getrandbits(32)))
    return made


def other_file(directory: Path, minutes: float = OTHER_MINUTES) -> Path:
    """Speech without the words, and noise of three colours, loud and quiet."""
    path = directory / f"other-{minutes:g}min.wav"
    if not path.exists():
        length = round(minutes * 60 * RATE_HZ)
        pieces: list[Sound] = []
        for piece in _others(random.Random(5)):
            pieces.append(piece)
            length -= len(piece)
            if length <= 0:
                break
        _write(path, np.concatenate(pieces)[: round(minutes * 60 * RATE_HZ)])
    return path


def _others(chance: random.Random) -> Iterator[Sound]:
    while True:
        text = ". ".join(chance.sample(PHRASES, 6))
        spoken = _spoken(text, chance.choice(VOICES), chance.choice(WORDS_A_MINUTE))
        yield _with_noise(spoken, chance.choice((None, 20, 10, 5)), chance.getrandbits(32))
        colour, level = chance.choice(("white", "pink", "brown")), chance.uniform(0.01, 0.5)
        yield _noise(round(chance.uniform(1, 6) * RATE_HZ), colour, level)


def _spoken(text: str, voice: str, words_a_minute: int) -> Sound:
    spoken = _output("espeak-ng", "-v", voice, "-s", str(words_a_minute), "--stdout", text)
    # -R: the same noise of dithering each time.
    raw = ("-t", "raw", "-b", "16", "-e", "signed", "-c", "1", "-r", str(RATE_HZ))
    padded = _output(
        "sox", "-R", "--ignore-length", "-t", "wav", "-", *raw, "-", "gain", "-n", "-6", "pad", "1",
        "1", data=spoken,
    )  # fmt: skip
    return np.frombuffer(padded, "<i2")


def _noise(length: int, colour: str, level: float, seed: int = 0) -> Sound:
    raw = ("-t", "raw", "-b", "16", "-e", "signed", "-c", "1", "-r", str(RATE_HZ))
    seconds = f"{length / RATE_HZ + 1}"
    made = np.frombuffer(
        _output("sox", "-R", "-n", *raw, "-", "synth", seconds, f"{colour}noise"), "<i2"
    )
    # sox begins each noise alike: another part of it for another seed.
    begin = seed % (len(made) - length)
    return np.rint(made[begin : begin + length] * level).astype(np.int16)


def _with_noise(spoken: Sound, snr_db: float | None, seed: int) -> Sound:
    """Pink noise, by the mean power of what is not silence in the speech."""
    if snr_db is None:
        return spoken
    speech = spoken.astype(np.float64)
    noise = _noise(len(speech), "pink", 1.0, seed).astype(np.float64)
    power = np.mean(speech[np.abs(speech) > 100] ** 2)
    noise *= np.sqrt(power / np.mean(noise**2) / 10 ** (snr_db / 10))
    return np.rint(speech + noise).clip(-32768, 32767).astype(np.int16)


def _output(*command: str, data: bytes | None = None) -> bytes:
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _write(path: Path, sound: npt.NDArray[Any]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(sound.astype("<i2").tobytes())
