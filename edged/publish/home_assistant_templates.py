"""How Home Assistant reads an entity's value from a message.

The templates are Jinja that Home Assistant runs on edged's messages. They need nothing that plain
Jinja lacks, put nothing into themselves but the names of pipelines, their parts and labels as
escaped literals, and give ``None``, which Home Assistant shows as unknown, for what a message does
not tell.

Attributes hold what stays the same while the scene does: labels and their numbers. Scores and boxes
differ in every frame, and each difference would become a row of Home Assistant's database.
"""

from __future__ import annotations

from typing import Literal

CLASS = "{{ value_json.classes[0].label if value_json.classes else 'None' }}"
CLASS_ATTRIBUTES = (
    "{{ {'labels': value_json.classes | map(attribute='label') | sort(case_sensitive=true) | list}"
    " | tojson }}"
)
KEYWORD = (
    "{% if value_json.classes %}"
    "{{ dict(value_json.classes[0], event_type='heard') | tojson }}{% else %}None{% endif %}"
)
OBJECTS = "{{ value_json.detections | count if value_json.detections is defined else 'None' }}"
OBJECTS_ATTRIBUTES = (
    "{% set ns = namespace(counts={}) %}"
    "{% for label, found in value_json.detections | groupby('label', case_sensitive=true) %}"
    "{% set ns.counts = dict(ns.counts, **{label: found | count}) %}{% endfor %}"
    "{{ {'labels': ns.counts | list, 'counts': ns.counts} | tojson }}"
)
REGION = "{{ value_json.regions[0].label if value_json.regions else 'None' }}"
# Shares differ in every frame too, but are what a segmentation is for.
REGION_ATTRIBUTES = (
    "{% set ns = namespace(shares={}) %}{% for one in value_json.regions or [] %}"
    "{% set ns.shares = dict(ns.shares, **{one.label: one.fraction}) %}{% endfor %}"
    "{{ {'shares': ns.shares} | tojson }}"
)
PEOPLE = "{{ value_json.people | count if value_json.people is defined else 'None' }}"
# Neither ``.values`` nor ``['values']``: Jinja takes a dict's method where there is no such key.
VALUE = "{{ value_json.get('values', {}).values() | first | default('None') }}"
VALUE_ATTRIBUTES = "{{ {'values': value_json.get('values', {})} | tojson }}"
_SCORE = "value_json.get('values', {}).get('score')"
ANOMALY = f"{{{{ 'None' if {_SCORE} is none else 'ON' if {_SCORE} > 1 else 'OFF' }}}}"
COUNT_ATTRIBUTES = (
    "{{ {'counts': value_json.get('counts', {}), 'zones': value_json.get('zones', {}), "
    "'lines': value_json.get('lines', {})} | tojson }}"
)
EVENT = (
    "{{ {'event_type': value_json.type, 'label': value_json.label, 'zone': value_json.zone, "
    "'track': value_json.track, 'duration_s': value_json.duration_s} | tojson }}"
)
HEALTH = "{{ value_json.state }}"
HEALTH_ATTRIBUTES = "{{ {'reason': value_json.reason, 'since': value_json.since} | tojson }}"
MODEL = "{{ value_json.active.version if value_json.active else 'None' }}"
MODEL_ATTRIBUTES = (
    "{% set active, tried = value_json.active or {}, value_json.candidate or {} %}"
    "{{ {'model': active.get('name'), 'task': active.get('task'), "
    "'candidate': tried.get('version'), 'verdict': tried.get('verdict'), "
    "'reason': tried.get('reason')} | tojson }}"
)
PIPELINE_RUNS = "{{ 'offline' if value_json.state in ('source-lost', 'stopped') else 'online' }}"
TEMPERATURE = "{{ value_json.cpu_temperature_c }}"
WAITING = "{{ value_json.spool.depth }}"


def presence(part: str | None, label: str | None) -> str:
    """Whether any object, or any of that label, is in sight, or in that zone."""
    return f"{{{{ 'ON' if {_number(part, label)} else 'OFF' }}}}"


def count(part: str | None, label: str | None) -> str:
    """How many of them there are."""
    return f"{{{{ {_number(part, label)} }}}}"


def crossed(line: str, way: Literal["to_left", "to_right"]) -> str:
    """How many went over the line."""
    gone = f"value_json.get('lines', {{}}).get({_literal(line)}, {{}}).get('{way}', 'None')"
    return f"{{{{ {gone} }}}}"


def rate(pipeline: str) -> str:
    return f"{{{{ {_figures(pipeline)}.get('inference_rate_hz', 'None') }}}}"


def latency(pipeline: str) -> str:
    total = f"(({_figures(pipeline)}.get('latency_ms') or {{}}).get('total') or {{}})"
    return f"{{{{ {total}.get('p50', 'None') }}}}"


def _figures(pipeline: str) -> str:
    """An expression for the pipeline's metrics, {} where it has none."""
    return f"value_json.pipelines.get({_literal(pipeline)}, {{}})"


def _number(part: str | None, label: str | None) -> str:
    """An expression for how many there are."""
    counts = "value_json.get('counts', {})"
    if part is not None:
        counts = f"value_json.get('zones', {{}}).get({_literal(part)}, {{}}).get('inside', {{}})"
    if label is not None:
        return f"{counts}.get({_literal(label)}, 0)"
    return f"{counts}.values() | sum"


def _literal(name: str) -> str:
    """Of letters, digits and escapes: it cannot end before its end."""
    escaped = "".join(
        char if char.isascii() and char.isalnum() else f"\\U{ord(char):08x}" for char in name
    )
    return f"'{escaped}'"
