"""The keypoints of people."""

from __future__ import annotations

from typing import Literal, get_args

# Of the COCO data set, in its order, which is that of MoveNet.
KeypointName = Literal[
    "nose",
    "left eye",
    "right eye",
    "left ear",
    "right ear",
    "left shoulder",
    "right shoulder",
    "left elbow",
    "right elbow",
    "left wrist",
    "right wrist",
    "left hip",
    "right hip",
    "left knee",
    "right knee",
    "left ankle",
    "right ankle",
]
KEYPOINTS: tuple[KeypointName, ...] = get_args(KeypointName)

MOST_PEOPLE = 10
"""As many, with all their keypoints, as a message has room for."""
