"""What `pymicro_wakeword`'s own detector hears, in a process of its own: the library of its runtime
takes the place of symbols that edged's has too.

    python scripts/wakeword_reference.py MODEL.json FILE.wav... > heard.json

A list with an object for each file: ``probabilities`` as the model gives them, and ``heard_s``,
when (in seconds of the file) the detector said so.
"""

from __future__ import annotations

import json
import sys
import wave
from pathlib import Path
from typing import Any

from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures

STEP_S = 0.01
WINDOW_S = 0.03


def hear(detector: Any, features: Any, path: Path) -> dict[str, list[float]]:
    """Sound of 16 kHz, 16 bits, one channel."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (16000, 2, 1)
        sound = file.readframes(file.getnframes())
    probabilities, heard_s = [], []
    for number, feature in enumerate(features.process_streaming(sound)):
        heard = detector.process_streaming(feature)
        if not detector._features:  # it has just been invoked
            probabilities.append(detector._probabilities[-1])
            if heard:
                heard_s.append(round(WINDOW_S + number * STEP_S, 2))
    detector.reset()
    features.reset()
    return {"probabilities": probabilities, "heard_s": heard_s}


def main() -> None:
    model, *files = sys.argv[1:]
    detector, features = MicroWakeWord.from_config(model), MicroWakeWordFeatures()
    json.dump([hear(detector, features, Path(file)) for file in files], sys.stdout)


if __name__ == "__main__":
    main()
