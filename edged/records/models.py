"""Models: what their files say, which one serves, and what became of candidates."""

from __future__ import annotations

import enum

import msgspec
import numpy as np
import numpy.typing as npt

from .arrays import AnyArray, FloatArray


class Quantization(msgspec.Struct, frozen=True):
    """Affine quantisation of a whole tensor: ``real = (stored - zero_point) * scale``."""

    scale: float
    zero_point: int

    def real(self, stored: AnyArray) -> FloatArray:
        """As float32. Source: TFLite's 8-bit quantisation specification."""
        real = stored.astype(np.float32)
        real -= np.float32(self.zero_point)
        real *= np.float32(self.scale)
        return real

    def __str__(self) -> str:
        return f"scale {self.scale:.6g}, zero point {self.zero_point}"


class TensorSpec(msgspec.Struct, frozen=True):
    """A model's input or output. ``quantization`` is None for a tensor that has none.

    ``shape_signature`` is ``shape`` with -1 where a dimension is dynamic. ``index`` is the
    interpreter's own number of the tensor.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    dtype: str  # NumPy's name: "uint8", "int8", "float32", "int64", ...
    quantization: Quantization | None

    @property
    def shown_shape(self) -> str:
        return "x".join(map(str, self.shape)) or "a single number"


class AnchorTable(msgspec.Struct, frozen=True):
    """Anchors that a model file holds: ``anchors`` float64 (n, 4), x centre, y centre, width,
    height in shares of the input; ``origin`` says where. The rest is how boxes are told as the
    difference from them, as far as the file says it: the ``scales`` of x, y, width and height,
    whether sizes are powers, and whether scores are logits.
    """

    origin: str
    anchors: npt.NDArray[np.float64]
    scales: tuple[float, float, float, float] | None = None
    exponential: bool = True
    logits: bool | None = None


class ModelSpec(msgspec.Struct, frozen=True):
    """Which model serves. ``version`` is the first 12 hex digits of ``sha256``."""

    name: str
    sha256: str
    size_bytes: int
    task: str
    labels: tuple[str, ...]

    @property
    def version(self) -> str:
        return self.sha256[:12]

    @property
    def ref(self) -> ModelRef:
        return ModelRef(self.name, self.version)


class ModelRef(msgspec.Struct, frozen=True):
    """The model a result came from; ``version`` as in ``ModelSpec``."""

    name: str
    version: str


class Verdict(enum.Enum):
    """What became of a candidate model.

    TRIAL: it serves, and is watched for its first results. UNCHANGED: the file was put there
    again with the same bytes.
    """

    TRIAL = "trial"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    ROLLED_BACK = "rolled-back"
    UNCHANGED = "unchanged"


class Candidate(msgspec.Struct, frozen=True):
    """The last model file that was tried; ``version`` is None where there was no file to hash."""

    name: str
    version: str | None
    verdict: Verdict
    reason: str | None
    at_ns: int


class ModelReport(msgspec.Struct, frozen=True):
    """Which model serves a pipeline (None: none does), and what became of the last candidate."""

    pipeline: str
    active: ModelSpec | None
    candidate: Candidate | None
