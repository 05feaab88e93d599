"""What the data are known to show: a directory for each class, or a file as COCO has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from ...errors import EdgedError
from ...store.labels import Labels, nearest, publishable
from ..data import Data
from .precision import Object

_MOST_BYTES = 2 << 30
_SHOWN = 3


class _Image(msgspec.Struct):
    id: int
    file_name: str
    width: Annotated[int, msgspec.Meta(gt=0)]
    height: Annotated[int, msgspec.Meta(gt=0)]


class _Category(msgspec.Struct):
    id: int
    name: str


class _Annotation(msgspec.Struct):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0


class _Coco(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


class Truth(msgspec.Struct, frozen=True):
    """By a file's name as seen from the data's directory. Of the two one is empty: ``classes``, or
    ``objects`` (a picture without any is there with none). ``note``: why there is neither.
    """

    classes: Mapping[Path, str]
    objects: Mapping[Path, Sequence[Object]]
    note: str | None = None


def find_truth(data: Data, task: str, labels: Labels) -> Truth:
    """As far as the data tell it and the model has such labels. Raises EdgedError where they tell
    something else.
    """
    names = [file.relative_to(data.directory) for file in data.files]
    if task == "detection":
        return _objects(data.directory, names, labels)
    if task not in ("classification", "keyword"):
        return Truth({}, {}, f"accuracy is not known: there is no rule for what {task} should find")
    if any(len(name.parts) < 2 for name in names):
        why = f"{data.directory} is not labelled (a directory for each class holds its files)"
        return Truth({}, {}, f"accuracy is not known: {why}")
    classes = {name: publishable(name.parts[0]) for name in names}
    known = {label.casefold(): label for label in _known(labels, classes.values())}
    for label in sorted(set(classes.values())):
        if label.casefold() not in known:
            near = nearest(label, labels.known)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise EdgedError(
                f'{data.directory} has a directory "{label}", and the models have no such label'
                f"{hint} Call the directories as the labels are, or put the files into none"
            )
    return Truth({name: known[label.casefold()] for name, label in classes.items()}, {})


def _known(labels: Labels, asked: Iterable[str]) -> list[str]:
    """A class without a label goes by its number."""
    numbers = [label for label in asked if label.isdecimal()]
    return [*numbers, *labels.known]


def _objects(directory: Path, names: Sequence[Path], labels: Labels) -> Truth:
    coco, file = _find_coco(directory)
    if coco is None or file is None:
        why = f"{directory} has no annotations (a .json file as COCO has it)"
        return Truth({}, {}, f"precision is not known: {why}")
    categories = {each.id: publishable(each.name) for each in coco.categories}
    known = {label.casefold(): label for label in labels.known}
    images = {image.id: image for image in coco.images}
    by_name = {Path(image.file_name).name: image.id for image in coco.images}
    objects: dict[int, list[Object]] = {image: [] for image in images}
    for each in coco.annotations:
        image, label = images.get(each.image_id), categories.get(each.category_id)
        if image is None or label is None:
            what = "image" if image is None else "category"
            raise EdgedError(f"{file} is not whole: an annotation is of an {what} that it has not")
        x, y, width, height = each.bbox
        box = (
            x / image.width,
            y / image.height,
            (x + width) / image.width,
            (y + height) / image.height,
        )
        name = known.get(label.casefold(), label)
        objects[image.id].append(Object(name, box, crowd=bool(each.iscrowd)))
    told = {name: objects[by_name[name.name]] for name in names if name.name in by_name}
    if not told:
        raise EdgedError(
            f"{file} tells of none of the pictures in {directory}. Name the directory of its images"
        )
    named = {each.label for image in told.values() for each in image}
    if named and not named & set(labels.known):
        shown = ", ".join(f'"{label}"' for label in sorted(named)[:_SHOWN])
        raise EdgedError(
            f"{file} names {shown}, and the models have no such labels. Give them theirs, in "
            "NAME.labels.txt"
        )
    return Truth({}, told)


def _find_coco(directory: Path) -> tuple[_Coco | None, Path | None]:
    """Raises EdgedError where one is there and cannot be used."""
    for file in sorted(directory.glob("*.json")):
        try:
            if file.stat().st_size > _MOST_BYTES:
                continue
            data = file.read_bytes()
            if b'"annotations"' not in data:
                continue
            return msgspec.json.decode(data, type=_Coco), file
        except (OSError, msgspec.MsgspecError) as error:
            raise EdgedError(f"{file} is no annotations as COCO has them: {error}") from error
    return None, None
