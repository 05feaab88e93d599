"""Whether two lists of detections are the same: ``compare.py ONE OTHER``, two files of JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

# Kernels of other processors may round a quantised number otherwise, which is a step of 1/255.
TOLERANCE = 0.01


def main(files: list[str]) -> None:
    one, other = (json.loads(Path(file).read_text()) for file in files)
    labels = [[found["label"] for found in each] for each in (one, other)]
    assert labels[0] == labels[1], labels
    pairs = list(zip(one, other, strict=True))
    box = max(abs(x - y) for a, b in pairs for x, y in zip(a["box"], b["box"], strict=True))
    score = max(abs(a["score"] - b["score"]) for a, b in pairs)
    print(f"the same: {labels[0]}; boxes differ by {box:.4f}, scores by {score:.4f} at most")
    assert max(box, score) <= TOLERANCE


if __name__ == "__main__":
    main(sys.argv[1:])
