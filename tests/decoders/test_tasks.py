"""Which task the outputs are for: told, by operator, by name, or refused."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import get_args, get_type_hints

import numpy as np
import pytest

from edged.decoders.outputs import Output
from edged.decoders.task import Activation, Keyword, Learning, Sure, Task, Told
from edged.decoders.tasks import TASKS, find_task, weigh
from edged.errors import ModelError
from edged.records.arrays import AnyArray
from edged.records.decoded import Numbers, Reconstruction, ScoredBoxes, ScoredClasses
from edged.records.models import Quantization
from edged.store.sidecar import Sidecar

NOTHING = Told()
POST = "TFLite_Detection_PostProcess"
BOXES, CLASSES, SCORES, COUNT = (1, 10, 4), (1, 10), (1, 10), (1,)

VALUES: dict[str, AnyArray] = {
    "boxes": np.full(BOXES, 0.25, np.float32),
    "classes": np.full(CLASSES, 7, np.float32),
    "scores": np.full(SCORES, 0.5, np.float32),
    "count": np.array([2], np.float32),
}
SHAPES = {"boxes": BOXES, "classes": CLASSES, "scores": SCORES, "count": COUNT}


def output(
    position: int = 0,
    names: Sequence[str] = ("out",),
    shape: tuple[int, ...] = (1, 5),
    dtype: str = "float32",
    quantization: Quantization | None = None,
    operator: str | None = None,
    operator_output: int = 0,
) -> Output:
    return Output(position, tuple(names), shape, dtype, quantization, operator, operator_output)


def refusal(outputs: Sequence[Output], told: Told = NOTHING) -> str:
    with pytest.raises(ModelError) as raised:
        find_task(outputs, told)
    return str(raised.value)


# ---- classification ------------------------------------------------------------------------------


def scores_of(task: Task, logits: list[float]) -> list[float]:
    decoded = task.decoder.decode([np.array([logits], np.float32)])
    assert isinstance(decoded, ScoredClasses)
    return [float(score) for score in decoded.scores]


@pytest.mark.parametrize("shape", [(1, 5), (5,), (1, 1, 1, 5), (1, 5, 1)])
def test_one_output_with_a_number_a_class_is_a_classification(shape: tuple[int, ...]) -> None:
    task = find_task([output(shape=shape)], NOTHING)
    assert (task.name, task.classes, task.labels_output) == ("classification", 5, 0)


@pytest.mark.parametrize(
    ("operator", "why"),
    [
        ("SOFTMAX", "one output of 5 classes; probabilities (the model ends in a softmax)"),
        ("LOGISTIC", "one output of 5 classes; scores (the model ends in a sigmoid)"),
    ],
)
def test_what_ends_in_an_activation_gets_no_second_one(operator: str, why: str) -> None:
    task = find_task([output(operator=operator)], NOTHING)
    assert task.why == why
    assert scores_of(task, [0.5, 0.25]) == [0.5, 0.25]


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [
        ("uint8", 1 / 256, 0),
        ("int8", 1 / 256, -128),
        # As files store it, in 32 bits, which makes 255 steps a little more than 1.
        ("uint8", float(np.float32(1 / 255)), 0),
        ("int8", float(np.float32(1 / 255)), -128),
        ("int16", 1 / 65536, -32768),
    ],
)
def test_a_quantisation_of_0_to_1_says_that_they_are_scores(
    dtype: str, scale: float, zero_point: int
) -> None:
    quantized = output(dtype=dtype, quantization=Quantization(scale, zero_point))
    task = find_task([quantized], NOTHING)
    assert task.why == "one output of 5 classes; scores (its quantisation covers 0 to 1)"
    assert scores_of(task, [0.5, 0.25]) == [0.5, 0.25]


@pytest.mark.parametrize(
    "quantization",
    [None, Quantization(0.0625, 128), Quantization(0.0625, 0), Quantization(1 / 256, 1)],
)
def test_anything_else_is_logits_and_says_so(quantization: Quantization | None) -> None:
    dtype = "float32" if quantization is None else "uint8"
    task = find_task([output(dtype=dtype, quantization=quantization)], NOTHING)
    assert task.why == "one output of 5 classes; logits, so a softmax is applied"
    assert scores_of(task, [3.0, 3.0]) == [0.5, 0.5]


def test_an_activation_that_is_told_is_taken() -> None:
    told = Told(activation=Activation.SIGMOID)
    task = find_task([output(operator="SOFTMAX")], told)
    assert task.why == "one output of 5 classes; as told"
    assert scores_of(task, [0.0, 0.0]) == [0.5, 0.5]


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 1, 16, 3), (2, 5)])
def test_one_output_of_another_shape_fits_no_task(shape: tuple[int, ...]) -> None:
    shown = "x".join(map(str, shape)) or "scalar"
    assert refusal([output(shape=shape)]) == (
        "its outputs fit no task of this version "
        "(classification, detection, segmentation, pose, keyword, regression, anomaly): "
        f'"out" {shown} float32'
    )


def test_several_outputs_fit_no_task_and_are_listed() -> None:
    four = [output(place, shape=shape) for place, shape in enumerate([(1, 9)] * 3 + [(1, 9, 4)])]
    assert refusal(four).startswith("its outputs fit no task of this version (")
    told = refusal([output(0, ("a",)), output(1, ("b",), (1, 9), "uint8")])
    assert told.endswith('"a" 1x5 float32, "b" 1x9 uint8')


def test_a_classification_that_is_told_must_fit() -> None:
    assert refusal([output(0), output(1)], Told(task="classification")) == (
        "classification needs one output with a number a class, it has "
        '"out" 1x5 float32, "out" 1x5 float32'
    )


# ---- detection -----------------------------------------------------------------------------------

ORDERS = list(itertools.permutations(SHAPES))

NAMINGS = {
    "signature": {
        "boxes": "detection_boxes",
        "classes": "detection_classes",
        "scores": "detection_scores",
        "count": "num_detections",
    },
    "metadata": {
        "boxes": "location",
        "classes": "category",
        "scores": "score",
        "count": "number of detections",
    },
    "TF1": {"boxes": POST, "classes": f"{POST}:1", "scores": f"{POST}:2", "count": f"{POST}:3"},
    "TF2": {
        "boxes": "StatefulPartitionedCall:3",
        "classes": "StatefulPartitionedCall:2",
        "scores": "StatefulPartitionedCall:1",
        "count": "StatefulPartitionedCall:0",
    },
}


def assert_roles(task: Task, order: Sequence[str]) -> None:
    """The decoder takes each output for what it is."""
    decoded = task.decoder.decode([VALUES[role] for role in order])
    assert isinstance(decoded, ScoredBoxes)
    assert decoded.boxes == [(0.25,) * 4] * 2
    assert decoded.scores == [0.5] * 2
    assert decoded.classes == [7] * 2
    assert task.name == "detection"
    assert task.classes is None
    assert task.labels_output == order.index("classes")


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("naming", NAMINGS)
def test_roles_are_known_by_names_in_any_order(naming: str, order: Sequence[str]) -> None:
    outputs = [
        output(place, ("Identity", NAMINGS[naming][role]), SHAPES[role])
        for place, role in enumerate(order)
    ]
    task = find_task(outputs, NOTHING)
    assert task.why.endswith("; known by their names")
    assert_roles(task, order)


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_the_operator_tells_the_roles_before_any_name(order: Sequence[str]) -> None:
    # The names are those of another order: the operator knows better.
    names = list(NAMINGS["TF2"].values())
    outputs = [
        output(
            place,
            (names[place],),
            SHAPES[role],
            operator=POST,
            operator_output=list(SHAPES).index(role),
        )
        for place, role in enumerate(order)
    ]
    task = find_task(outputs, NOTHING)
    assert task.why.endswith(f"; given by {POST}")
    assert_roles(task, order)


@pytest.mark.parametrize("by_name", [True, False])
def test_roles_that_are_told_are_taken(by_name: bool) -> None:
    order = ("scores", "boxes", "count", "classes")
    outputs = [output(n, (f"out:{n}", role), SHAPES[role]) for n, role in enumerate(order)]
    roles: dict[str, int | str] = {role: role if by_name else n for n, role in enumerate(order)}
    task = find_task(outputs, Told(roles=roles))
    assert task.why.endswith("; roles as told")
    assert_roles(task, order)


def test_a_told_detector_may_have_more_outputs() -> None:
    order = ("boxes", "classes", "scores", "count")
    outputs = [output(n, (role,), SHAPES[role]) for n, role in enumerate(order)]
    outputs.append(output(4, ("raw",), (1, 1917, 91)))
    assert_roles(find_task(outputs, Told(roles={role: role for role in order})), order)
    named = [output(n, (NAMINGS["TF1"][role],), SHAPES[role]) for n, role in enumerate(order)]
    assert_roles(find_task([*named, outputs[4]], Told(task="detection")), order)


def four(**shapes: tuple[int, ...]) -> list[Output]:
    """Four outputs named by their roles; shapes other than usual as given."""
    all_shapes = SHAPES | shapes
    return [output(n, (role,), all_shapes[role]) for n, role in enumerate(SHAPES)]


ALL = {role: role for role in SHAPES}


@pytest.mark.parametrize(
    ("told", "outputs", "reason"),
    [
        (NOTHING, four(), "its outputs fit no task of this version without being told which is"),
        (
            Told(task="detection"),
            [output()],
            "its outputs fit no layout of a detector (post-processed, yolo-v5, yolo-v8, ",
        ),
        (
            Told(roles={"boxes": 0, "scores": 2}),
            four(),
            "its sidecar names outputs for detection, but none for classes",
        ),
        (
            Told(roles={**ALL, "count": 9}),
            four(),
            "its sidecar names the output 9 for count, it has ",
        ),
        (
            Told(roles={**ALL, "count": "cuont"}),
            four(),
            "its sidecar names the output 'cuont' for count, it has ",
        ),
        (
            Told(roles={**ALL, "scores": "classes"}),
            four(),
            "its sidecar names the same output for two roles",
        ),
        (
            Told(roles=ALL),
            four(boxes=(1, 10, 5)),
            "detection needs boxes 1 x n x 4, classes 1 x n and scores 1 x n, it has ",
        ),
        (
            Told(roles=ALL),
            four(scores=(1, 9)),
            "detection needs boxes 1 x n x 4, classes 1 x n and scores 1 x n, it has ",
        ),
        (
            Told(roles=ALL),
            four(count=(2,)),
            'detection needs a count of one number, it has "count" 2 float32',
        ),
    ],
)
def test_a_detector_that_does_not_fit_is_refused(
    told: Told, outputs: list[Output], reason: str
) -> None:
    assert refusal(outputs, told).startswith(reason)


def test_a_name_that_two_outputs_share_tells_nothing() -> None:
    outputs = [output(n, (POST,), shape) for n, shape in enumerate(SHAPES.values())]
    assert "without being told which is which" in refusal(outputs)


# ---- numbers -------------------------------------------------------------------------------------


def test_one_number_that_is_no_probability_is_a_regression() -> None:
    task = find_task([output(shape=(1, 1))], NOTHING)
    assert (task.name, task.why, task.numbers) == ("regression", "one output of 1 number", 1)
    assert (task.classes, task.threshold) == (None, None)
    assert find_task([output(shape=())], NOTHING).name == "regression"


@pytest.mark.parametrize(
    "probability",
    [
        output(shape=(1, 1), operator="LOGISTIC"),
        output(shape=(1, 1), dtype="uint8", quantization=Quantization(1 / 256, 0)),
    ],
)
def test_what_may_be_a_probability_has_to_be_told(probability: Output) -> None:
    assert "fit no task" in refusal([probability])
    assert find_task([probability], Told(task="regression")).name == "regression"


def test_several_numbers_are_a_regression_where_that_is_told() -> None:
    task = find_task([output(shape=(1, 3))], Told(task="regression"))
    assert (task.why, task.numbers) == ("one output of 3 numbers", 3)
    values = task.decoder.decode([np.array([[1, -2, 3]], np.float32)])
    assert isinstance(values, Numbers)
    assert values.values.tolist() == [1, -2, 3]


def test_a_regression_may_have_several_outputs_which_name_the_numbers() -> None:
    outputs = [output(0, ("t:0", "temperature")), output(1, ("h:0", "humidity"), (1, 1))]
    task = find_task(outputs, Told(task="regression"))
    assert (task.why, task.numbers) == ("2 outputs of 6 numbers", 6)
    assert task.names[::5] == ("temperature 0", "humidity")
    singles = [output(0, ("a",), (1, 1)), output(1, ("b",), (1,))]
    task = find_task(singles, NOTHING)
    assert (task.name, task.names) == ("regression", ("a", "b"))


def test_a_regression_has_not_too_many_numbers() -> None:
    told = Told(task="regression")
    assert "at most 100 numbers" in refusal([output(shape=(1, 101))], told)
    assert "at most 100 numbers" in refusal(
        [output(0, shape=(1, 51)), output(1, shape=(50,))], told
    )


WINDOW = (1, 50, 6)


def test_an_output_of_the_inputs_shape_is_an_autoencoders() -> None:
    task = find_task([output(shape=WINDOW)], Told(input_shape=WINDOW))
    assert (task.name, task.threshold) == ("anomaly", None)
    assert task.anomaly == Learning(learn_s=600)
    error = task.decoder.decode([np.zeros(WINDOW, np.float32), np.ones(WINDOW, np.float32)])
    assert error == Reconstruction(1.0)


def test_an_anomaly_detectors_threshold_may_be_told() -> None:
    told = Told(task="anomaly", learning=Learning(600, threshold=7.5), input_shape=(1, 5))
    assert find_task([output(shape=(1, 5))], told).threshold == 7.5


@pytest.mark.parametrize(
    "outputs", [[output(shape=(1, 50, 5))], [output(0, shape=WINDOW), output(1, shape=WINDOW)]]
)
def test_an_autoencoder_has_one_output_of_the_inputs_shape(outputs: list[Output]) -> None:
    said = refusal(outputs, Told(task="anomaly", input_shape=WINDOW))
    assert said.startswith(
        "anomaly needs one output of the shape of the input (1x50x6), as an autoencoder has it; "
    )


# ---- what could be several ---------------------------------------------------------------------


def test_two_readings_by_shapes_alone_are_listed_with_the_lines_that_choose() -> None:
    ambiguous = output(shape=(1, 5))
    assert refusal([ambiguous], Told(input_shape=(1, 5))) == (
        "its outputs could be read in 2 ways: classification (one output of 5 classes); anomaly "
        "(its output has the shape of its input). Add the line of the right one to its .toml file: "
        'task = "classification", or task = "anomaly"'
    )
    for task in ("classification", "anomaly"):
        assert find_task([ambiguous], Told(task=task, input_shape=(1, 5))).name == task


def test_better_grounds_than_shapes_decide() -> None:
    softmax = output(shape=(1, 5), operator="SOFTMAX")
    told = Told(input_shape=(1, 5))
    assert find_task([softmax], told).name == "classification"
    assert [(one.task, one.sure) for one in weigh([softmax], told)] == [
        ("classification", Sure.OPERATOR),
        ("anomaly", Sure.SHAPES),
    ]


def test_the_line_that_chooses_is_one_that_a_sidecar_knows() -> None:
    annotation = get_type_hints(Sidecar)["task"]
    assert set(TASKS) == {name for kind in get_args(annotation) for name in get_args(kind)}


# ---- keywords ------------------------------------------------------------------------------------

LISTENS = Told("keyword", keyword=Keyword(sliding_window=5, refractory_s=1, threshold=0.85))


def test_one_number_that_is_told_to_be_a_keywords_is_its_score() -> None:
    task = find_task([output(shape=(1, 1), operator="LOGISTIC")], LISTENS)
    assert (task.name, task.classes, task.threshold) == ("keyword", 1, 0.85)
    assert task.keyword == LISTENS.keyword
    assert task.why == "one output of 1 word; a score, heard over 0.85 in the mean of 5"
    assert scores_of(task, [0.5]) == [0.5]


def test_a_keywords_logit_becomes_a_score() -> None:
    task = find_task([output(shape=(1, 1))], LISTENS)
    assert "a logit, so a sigmoid is applied" in task.why
    assert scores_of(task, [2.0]) == [pytest.approx(1 / (1 + np.exp(-2.0)))]


def test_several_numbers_that_are_told_to_be_keywords_are_probabilities_of_words() -> None:
    task = find_task([output(shape=(1, 3))], LISTENS)
    assert (task.classes, "a softmax is applied" in task.why) == (3, True)
    assert sum(scores_of(task, [1.0, 2.0, 3.0])) == pytest.approx(1)


@pytest.mark.parametrize("shapes", [[(1, 2, 3)], [(1, 1), (1, 1)]])
def test_keywords_have_one_output_with_a_number_a_word(shapes: list[tuple[int, ...]]) -> None:
    outputs = [output(place, shape=shape) for place, shape in enumerate(shapes)]
    assert refusal(outputs, LISTENS).startswith("keyword needs one output with a number a word")
