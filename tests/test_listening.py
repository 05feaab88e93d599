"""Models that listen: what they hear follows what they heard before."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from household import OPTIONS, SMALL_MODELS, House
from msgspec.structs import replace
from sounds import AUDIO, bursts, windows

from edged.engine.interpreter import Engine
from edged.errors import ConfigError, MissingExtra, ModelError, NotFinite
from edged.keywords import KeywordFilter
from edged.listening import ListeningModel, StreamModel
from edged.loading import build_model
from edged.model import Model
from edged.records.arrays import FloatArray
from edged.records.decoded import HeardClasses
from edged.records.results import ClassScore
from edged.samples import Channel, Gives, Window, WindowShape
from edged.store.models import read_model_files

pytest.importorskip("pymicro_features", reason="pymicro-features is not installed")


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.model("keyword")
    return made


@pytest.fixture
def model(house: House) -> Model:
    return loaded(house)


def loaded(house: House, name: str = "keyword", gives: Gives = Gives.WINDOWS) -> Model:
    """As a model that is known to be good is: without a probe. Raises EdgedError."""
    path = house.models / f"{name}.tflite"
    options = replace(OPTIONS, gives=gives)
    return build_model(name, read_model_files(path), path, options, None)


def heard(model: Model, sound: Iterable[Window]) -> list[HeardClasses]:
    found = []
    for window in sound:
        decoded = model.infer(window).decoded
        assert isinstance(decoded, HeardClasses)
        found.append(decoded)
    return found


def probabilities(model: Model, sound: Iterable[Window]) -> list[float]:
    moments = itertools.chain.from_iterable(each.scores for each in heard(model, sound))
    return [float(scores.item()) for scores in moments]


def by_hand(sound: FloatArray) -> list[float]:
    """Front end and interpreter, both new, step by step."""
    from pymicro_features import MicroFrontend

    front_end = MicroFrontend()
    steps = np.rint(sound * 32768).astype(np.int16)
    outputs = (
        front_end.process_samples(steps[at : at + 160].tobytes())
        for at in range(0, len(steps) - 159, 160)
    )
    features = [output.features for output in outputs if output.features]
    engine = Engine(SMALL_MODELS / "keyword.tflite", threads=1, remembers=True)
    found = []
    for at in range(0, len(features) - 2, 3):
        engine.input_view()[0] = np.round(np.array(features[at : at + 3]) / (26 / 255) - 128)
        engine.invoke()
        found.append(float(engine.output(0).item()))
    return found


def test_what_it_hears_is_what_front_end_and_model_make_of_it_by_hand(model: Model) -> None:
    sound = bursts(0.5, 1.7, seconds=3)
    found = probabilities(model, windows(sound))
    assert found == by_hand(sound)
    assert max(found) > 0.9 > 0.1 > found[-1]


def test_it_asks_for_windows_of_16_khz_that_leave_nothing_out(model: Model) -> None:
    assert isinstance(model, StreamModel)
    assert model.want(None) == WindowShape(16_000, 480, 480)
    assert model.waiting * 480 / 16_000 == pytest.approx(2, abs=0.03)  # seconds


@pytest.mark.parametrize("length", [1, 160, 479, 1000, 8000])
def test_windows_of_any_length_come_to_the_same(model: Model, length: int) -> None:
    sound = bursts(0.2, seconds=0.51)
    assert probabilities(model, windows(sound, length)) == by_hand(
        sound[: len(sound) // length * length]
    )


def test_it_begins_anew_after_a_gap(model: Model) -> None:
    """As if it had heard nothing yet: its variables, the front end and what had not made a whole
    input are set back.
    """
    sound = bursts(0.1, seconds=0.7)
    first = probabilities(model, windows(sound))
    again = heard(model, windows(sound, first=len(sound) + 1))  # one sample is missing
    assert [each.anew for each in again] == [True] + [False] * (len(again) - 1)
    assert [float(s.item()) for each in again for s in each.scores] == first
    assert heard(model, windows(sound[:480], first=0))[0].anew  # the source was opened again


def test_it_goes_on_where_the_stream_does(model: Model) -> None:
    sound = bursts(0.1, seconds=0.96)
    pieces = [sound[:4800], sound[4800:]]
    found = heard(model, windows(pieces[0])) + heard(model, windows(pieces[1], first=4800))
    assert [each.anew for each in found] == [True] + [False] * 31
    assert [each.ended_s for each in found][-1] == pytest.approx(0.96)


def test_two_pipelines_with_the_same_model_hear_each_for_itself(house: House) -> None:
    one, other = (loaded(house) for _ in range(2))
    loud, quiet = bursts(0.0, seconds=0.51), bursts(seconds=0.51)
    by_one: list[float] = []
    by_other: list[float] = []
    for window, at_the_same_time in zip(windows(loud), windows(quiet), strict=True):
        by_one += probabilities(one, [window])
        by_other += probabilities(other, [at_the_same_time])
    assert (by_one, by_other) == (by_hand(loud), by_hand(quiet))


def test_sound_that_is_no_number_is_passed_over_and_what_follows_heard_anew(model: Model) -> None:
    sound = bursts(0.1, seconds=0.7)
    first = list(windows(sound))
    broken = replace(first[3], samples=np.full((480, 1), np.nan, np.float32))
    with pytest.raises(NotFinite, match="Look after the microphone"):
        heard(model, [*first[:3], broken])
    rest = heard(model, first[4:])
    assert rest[0].anew
    assert [float(s.item()) for each in rest for s in each.scores] == by_hand(sound[4 * 480 :])


def test_a_channel_of_several_is_heard_by_its_name(house: House) -> None:
    sound = bursts(0.1, seconds=0.51)
    both = np.stack([np.zeros_like(sound), sound], axis=1)
    channels = (Channel("left"), *AUDIO)
    pairs = [
        replace(w, samples=both[w.first : w.first + 480], channels=channels) for w in windows(sound)
    ]
    with pytest.raises(ModelError, match="the source gives 2"):
        heard(loaded(house), pairs)
    (house.models / "keyword.toml").write_text('[input]\nchannels = ["audio"]')
    assert probabilities(loaded(house), pairs) == by_hand(sound)


# ---- what its files say --------------------------------------------------------------------------


def test_the_manifest_tells_the_word_when_it_is_heard_and_what_it_takes(model: Model) -> None:
    reading = model.reading
    assert reading.labels.known == ("Loud Noise",)
    assert reading.labels.origin == "keyword.json"
    assert (reading.task.name, reading.task.threshold) == ("keyword", 0.75)
    assert reading.task.keyword is not None
    assert reading.task.keyword.sliding_window == 5
    assert reading.task.keyword.refractory_s == 2
    assert reading.input.said.startswith("3 features of 40 numbers an inference")


def test_a_sidecar_goes_before_the_manifest(house: House) -> None:
    (house.models / "keyword.toml").write_text(
        'labels = ["din"]\n[keyword]\nsliding_window = 3\nrefractory_s = 0.5'
    )
    reading = loaded(house).reading
    assert reading.labels.known == ("din",)
    assert reading.task.keyword is not None
    assert (reading.task.keyword.sliding_window, reading.task.keyword.refractory_s) == (3, 0.5)
    assert reading.task.threshold == 0.75


def test_a_labels_file_goes_before_the_manifest(house: House) -> None:
    house.labels("keyword", "noise")
    assert loaded(house).reading.labels.known == ("noise",)


def test_a_sidecar_alone_can_say_that_it_hears(house: House) -> None:
    (house.models / "keyword.json").unlink()
    with pytest.raises(ModelError, match="its outputs fit no task of this version"):
        loaded(house)
    (house.models / "keyword.toml").write_text('[input]\nfeatures = "micro"')
    heard_by = loaded(house)
    assert isinstance(heard_by, StreamModel)
    assert heard_by.reading.task.threshold == 0.5
    assert heard_by.reading.labels.known == ()


@pytest.mark.parametrize(
    ("sidecar", "told"),
    [
        ('task = "regression"', "its .toml file says that it does regression, and it hears a str"),
        ("[input]\nrate_hz = 8000", "its .toml file says rate_hz = 8000, and features of micro wa"),
        ('[input]\nchannels = ["a", "b"]', "its .toml file names 2 channels, and it hears one"),
        (
            '[input]\nfeatures = "log-mel"\nrate_hz = 16000',
            "its .json file is a manifest of micro wake word models, and its .toml file says",
        ),
    ],
)
def test_what_does_not_go_with_a_stream_is_told(house: House, sidecar: str, told: str) -> None:
    (house.models / "keyword.toml").write_text(sidecar)
    with pytest.raises(ModelError) as refused:
        loaded(house)
    assert str(refused.value).startswith(told)


def test_an_input_that_holds_no_features_is_told(house: House) -> None:
    house.model("classifier_int8")
    (house.models / "classifier_int8.toml").write_text('[input]\nfeatures = "micro"')
    with pytest.raises(ModelError, match="need 1 x number x 40"):
        loaded(house, "classifier_int8")


def test_pictures_are_nothing_to_hear(house: House) -> None:
    with pytest.raises(ModelError, match="the pipeline's source gives pictures"):
        loaded(house, gives=Gives.FRAMES)


def test_a_front_end_that_is_not_installed_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pymicro_features", None)
    with pytest.raises(MissingExtra, match=r"pip install 'edged\[audio\]'"):
        loaded(house)


# ---- models that look at windows -----------------------------------------------------------------


def ear(house: House, name: str, sidecar: str) -> tuple[Model, KeywordFilter]:
    house.model(name)
    (house.models / f"{name}.toml").write_text(sidecar)
    model = loaded(house, name)
    task = model.reading.task
    assert task.keyword is not None
    filter_ = KeywordFilter(
        model.reading.labels.name,
        rule=task.keyword,
        threshold=task.threshold,
        allowed=None,
        max_results=25,
    )
    return model, filter_


def levels(*values: float, hop: int = 16) -> Iterator[Window]:
    """Windows of 16 samples, each of one value."""
    for number, value in enumerate(values):
        samples = np.full((16, 1), value, np.float32)
        yield Window(number, 0, 0, samples, 16.0, AUDIO, number * hop)


def test_a_model_of_windows_can_listen_for_words_too(house: House) -> None:
    model, filter_ = ear(
        house,
        "window_one_channel",
        'task = "keyword"\nlabels = ["low", "high"]\n[keyword]\nsliding_window = 2\n'
        "refractory_s = 3\n[input]\nrate_hz = 16",
    )
    assert type(model) is ListeningModel
    found = [
        filter_.apply(each, None)
        for each in heard(model, levels(-1, -1, 1, 1, 1, 1, -1, -1))  # a second each
    ]
    words = [[word.label for word in each if isinstance(word, ClassScore)] for each in found]
    assert words == [[], ["low"], [], ["high"], [], [], [], ["low"]]


def test_windows_that_are_apart_are_not_put_together(house: House) -> None:
    model, _ = ear(
        house,
        "window_one_channel",
        'task = "keyword"\n[keyword]\nsliding_window = 2\n[input]\nrate_hz = 16',
    )
    assert [each.anew for each in heard(model, levels(1, 1, 1, hop=8))] == [True, False, False]
    assert [each.anew for each in heard(model, levels(1, 1, 1, hop=17))] == [True, True, True]


def test_log_mel_features_of_a_window_come_into_the_input(house: House) -> None:
    """8 frames of 3 bands: softmax of each band's mean less half of the others'."""
    model, _ = ear(
        house,
        "window_float32",
        'task = "keyword"\nlabels = ["low", "middle", "high"]\n[input]\nfeatures = "log-mel"\n'
        "rate_hz = 16000\nmean = -4\nstd = 4",
    )
    assert model.want(None) == WindowShape(16_000, 400 + 7 * 160)
    assert model.reading.input.said == (
        "log-mel features of 25 ms every 10 ms, 125 to 7500 Hz, of sound at 16000 Hz, 8 x 3; "
        "(feature - -4) / 4, from window_float32.toml"
    )
    best = []
    for tone_hz in (300, 1500, 5000):
        tone = np.sin(2 * np.pi * tone_hz / 16_000 * np.arange(1520)).astype(np.float32)
        (found,) = heard(model, windows(tone, 1520))
        best.append(model.reading.labels.name(int(found.scores[0].argmax())))
    assert best == ["low", "middle", "high"]


@pytest.mark.parametrize(
    ("sidecar", "told"),
    [
        ("fmax_hz = 9000", "its log-mel bands from 125 to 9000 Hz do not lie below half of rate"),
        ("fmin_hz = 7500", "its log-mel bands from 7500 to 7500 Hz do not lie below half of rat"),
        ("window_s = 0.00001", "its log_mel.window_s or hop_s is shorter than a sample"),
    ],
)
def test_log_mel_features_that_cannot_be_made_are_told(
    house: House, sidecar: str, told: str
) -> None:
    with pytest.raises(ModelError) as refused:
        ear(
            house,
            "window_float32",
            f'[input]\nfeatures = "log-mel"\nrate_hz = 16000\n[log_mel]\n{sidecar}',
        )
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("sidecar", "told"),
    [
        ("[log_mel]\npower = 2", "input.features: missing; log_mel is given"),
        ('[input]\nfeatures = "log-mel"', "input.rate_hz: missing; log-mel features are of sound"),
        ('[input]\nfeatures = "log-mel"\ncolour = "rgb"\nrate_hz = 1', "colour is given"),
        ('[input]\nfeatures = "mfcc"', 'input.features: "mfcc" is not allowed; one of "log-mel"'),
        ("[keyword]\nsliding_window = 0", "keyword.sliding_window: 0 is not allowed"),
        ("[keyword]\nrefractory_s = -1", "keyword.refractory_s: -1 is not allowed"),
    ],
)
def test_a_sidecar_that_makes_no_sense_is_told(house: House, sidecar: str, told: str) -> None:
    (house.models / "keyword.toml").write_text(sidecar)
    with pytest.raises(ConfigError) as refused:
        loaded(house)
    assert told in str(refused.value)
