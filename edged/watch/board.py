"""All that is known, fed with what arrives. Pure: no clock, no broker, no terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from . import words
from .known import Device, Event, Pipeline
from .payloads import (
    Arrival,
    Counts,
    Happening,
    Health,
    Info,
    Metrics,
    Model,
    Place,
    Result,
    Unreadable,
    place,
    read,
)

MOST = 1000
"""Devices, pipelines, and topics that are not edged's: who floods the broker floods not us."""
_MOST_EVENTS = 100


class Board:
    """``take`` what arrives; the rest is to be read, from the same thread."""

    def __init__(self, prefix: str) -> None:
        self.devices: dict[str, Device] = {}
        self.events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        """What is notable, the newest first."""
        self.results = 0
        self._prefix = prefix
        self._odd: set[str] = set()

    @property
    def pipelines(self) -> Iterator[Pipeline]:
        for device in self.devices.values():
            yield from device.pipelines.values()

    def interrupt(self) -> None:
        """What the subscriber did not hear for a while is not to be taken for lost."""
        for pipeline in self.pipelines:
            pipeline.sequences.interrupt()

    def note(self, event: Event) -> None:
        """Keep an event that is not of a message."""
        self.events.appendleft(event)

    def take(self, arrival: Arrival) -> list[Event]:
        """What came, in words, the oldest first. Never raises, whatever it is."""
        where = place(arrival.topic, self._prefix)
        if where is None:
            events = self._strange(arrival, "no topic of edged")
        elif where.pipeline is None:
            events = self._of_device(where, arrival)
        else:
            events = self._of_pipeline(where, where.pipeline, arrival)
        self.events.extendleft(event for event in events if event.notable)
        return events

    def _of_device(self, where: Place, arrival: Arrival) -> list[Event]:
        told: Info | Metrics | Unreadable
        match where.leaf:
            case "status":
                status = arrival.payload.decode(errors="replace")
                if status not in ("online", "offline"):
                    return self._strange(arrival, "neither online nor offline")
                return self._device(where.device).take_status(status, arrival)
            case "info":
                told = read(arrival.payload, Info)
                if isinstance(told, Info):
                    return self._device(where.device).take_info(told, arrival)
            case "metrics":
                told = read(arrival.payload, Metrics)
                if isinstance(told, Metrics):
                    return self._device(where.device).take_metrics(told, arrival)
            case _:
                return self._strange(arrival, "not known to edged watch")
        return self._strange(arrival, told.why)

    def _of_pipeline(self, where: Place, name: str, arrival: Arrival) -> list[Event]:
        told: Result | Happening | Counts | Health | Model | Unreadable
        match where.leaf:
            case "result":
                told = read(arrival.payload, Result)
                if isinstance(told, Result):
                    self.results += 1
                    return self._pipeline(where.device, name).take_result(told, arrival)
            case "event":
                told = read(arrival.payload, Happening)
                if isinstance(told, Happening):
                    return self._pipeline(where.device, name).take_happening(told, arrival)
            case "counts":
                told = read(arrival.payload, Counts)
                if isinstance(told, Counts):
                    return self._pipeline(where.device, name).take_counts(told, arrival)
            case "health" | "model" if not arrival.payload:
                return self._withdraw(where, name, arrival)
            case "health":
                told = read(arrival.payload, Health)
                if isinstance(told, Health):
                    return self._pipeline(where.device, name).take_health(told, arrival)
            case "model":
                told = read(arrival.payload, Model)
                if isinstance(told, Model):
                    return self._pipeline(where.device, name).take_model(told, arrival)
            case _:
                return self._strange(arrival, "not known to edged watch")
        return self._strange(arrival, told.why)

    def _withdraw(self, where: Place, name: str, arrival: Arrival) -> list[Event]:
        """An empty retained message: the broker keeps it no more, because the pipeline is gone."""
        device = self.devices.get(where.device)
        pipeline = device.pipelines.get(name) if device else None
        if device is None or pipeline is None:
            return []
        if where.leaf == "health":
            events = pipeline.take_health(None, arrival)
        else:
            events = pipeline.take_model(None, arrival)
        if pipeline.health is None and pipeline.model is None:
            del device.pipelines[name]
        return events

    def _strange(self, arrival: Arrival, why: str) -> list[Event]:
        """Notable once a topic, so that it cannot drive all else from the screen."""
        notable = arrival.topic not in self._odd and len(self._odd) < MOST
        if notable:
            self._odd.add(arrival.topic)
        payload = words.safe(arrival.payload[:60].decode(errors="backslashreplace"), 60)
        text = f"not understood, {words.safe(why)}: {payload}"
        return [Event(arrival.wall, words.safe(arrival.topic), text, notable)]

    def _device(self, name: str) -> Device:
        """One too many is known only as long as its message lasts."""
        device = self.devices.get(name) or Device(name)
        if len(self.devices) < MOST:
            self.devices[name] = device
        return device

    def _pipeline(self, device_name: str, name: str) -> Pipeline:
        device = self._device(device_name)
        pipeline = device.pipelines.get(name) or Pipeline(device_name, name)
        if len(device.pipelines) < MOST:
            device.pipelines[name] = pipeline
        return pipeline
