"""What single values of the configuration may be, with the words for what is allowed.

The patterns keep to the part of regular expressions that Python and JSON Schema share; they
forbid by looking ahead because ``$`` alone would let a newline at the end pass in Python.
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from .plain_text import CONTROL, INVISIBLE

_CONTROL = CONTROL + INVISIBLE
# One level of an MQTT topic (MQTT 5.0, section 4.7). It names files too, hence no leading dot.
TopicLevel = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=rf"^(?![$.\s])(?![\s\S]*[/+#{_CONTROL}])[\s\S]*\S$",
        description="a name of 1 to 64 characters, without / + # or control characters, "
        "not beginning with $ or . and without spaces at its ends",
    ),
]
TopicPrefix = Annotated[
    str,
    Meta(
        max_length=128,
        pattern=rf"^(?![$/\s])(?![\s\S]*(?:[+#{_CONTROL}]|//|/$))[\s\S]*\S$",
        description="a topic of 1 to 128 characters, without + # or control characters, "
        "not beginning with $, without spaces or / at its ends and without //",
    ),
]
OptionalTopicPrefix = Annotated[
    str,
    Meta(
        max_length=128,
        pattern=rf"^(?![\s\S]*[+#{_CONTROL}])(?:(?![$/\s])(?![\s\S]*(?://|/$))[\s\S]*\S)?$",
        description="a topic of at most 128 characters, without + # or control characters, "
        "not beginning with $, without spaces or / at its ends and without //; "
        "or nothing, in quotes",
    ),
]
ModelName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=rf"^(?!\.)(?![\s\S]*[/\\{_CONTROL}])(?![\s\S]*\.tflite$)",
        description="the name of a model in models.dir, of 1 to 128 characters, without "
        "directories, without .tflite and not beginning with .",
    ),
]
HostName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=253,
        pattern=rf"^(?![\s\S]*[\s/{_CONTROL}])(?![^:]*:[^:]*$)",
        description="a host's name or address alone, without mqtt:// or :port",
    ),
]
_PORT = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
Hosts = Annotated[
    tuple[
        Annotated[
            str,
            Meta(
                max_length=260,
                pattern=rf"^(?![\s\S]*[\s/{_CONTROL}])"
                rf"(?:\[[0-9A-Fa-f:.]+(?:%[^\[\]]+)?\]|[^:\[\]]+)(?::{_PORT})?$",
                description='a host\'s name or address, or "host:port" with a port from 1 to '
                '65535; an IPv6 address in brackets, as in "[fd00::1]:1883"',
            ),
        ],
        ...,
    ],
    Meta(min_length=1, max_length=16, description="a list of 1 to 16 addresses of brokers"),
]
Text = Annotated[str, Meta(min_length=1, description="text that is not empty, in quotes")]
Labels = Annotated[
    tuple[Text, ...],
    Meta(min_length=1, description="a list of labels; leave the key out to publish all of them"),
]
OptionValue = Annotated[str | int | float | bool, Meta(description="text, a number, true or false")]
_Pixels = Annotated[int, Meta(ge=16, le=8192)]
SizePx = Annotated[
    tuple[_Pixels, _Pixels],
    Meta(description="[width, height] in pixels, each a whole number from 16 to 8192"),
]
Port = Annotated[int, Meta(ge=1, le=65535)]
Share = Annotated[float, Meta(ge=0, le=1)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Bytes = Annotated[int, Meta(ge=0, le=2**40)]
Seconds = Annotated[float, Meta(gt=0)]
Fps = Annotated[
    float, Meta(ge=0, description="a number above 0, or 0: as fast as the source gives")
]
RateHz = Annotated[float, Meta(gt=0, le=1_000_000)]


def topic_level(host: str) -> str:
    """A host's name as a device id: its first part, with "-" for what a topic level or Home
    Assistant's object ids (``[a-zA-Z0-9_-]``) cannot hold.
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "-", host.split(".")[0]).strip("-")[:64] or "edged"
