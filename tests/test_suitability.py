from __future__ import annotations

import pytest

from edged.suitability import unknown_labels


@pytest.mark.parametrize(
    ("allowed", "told"),
    [
        (None, None),
        (("cat",), None),
        (
            ("cta",),
            'the model has no label "cta" (did you mean "cat"?): nothing is published for it',
        ),
        (("zebra",), 'the model has no label "zebra": nothing is published for it'),
        (
            ("cat", "Dog", "zebra"),
            'the model has no labels "Dog" (did you mean "dog"?), "zebra": '
            "nothing is published for it",
        ),
    ],
)
def test_labels_that_the_model_does_not_have_are_told_with_the_nearest(
    allowed: tuple[str, ...] | None, told: str | None
) -> None:
    assert unknown_labels(allowed, ("cat", "dog")) == told


def test_a_number_stands_for_a_class_without_a_label() -> None:
    assert unknown_labels(("0", "17"), ()) is None
    assert unknown_labels(("cat", "3"), ("cat", "dog")) is None
