"""Inputs and outputs of the functions of an export, as its export.json describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Outputs = Mapping[str, npt.NDArray[Any]]
"""Name -> values (B, ...)."""
ENCODED = "encoded"
SERVE_IMAGES = "serve_images"


@dataclass(frozen=True)
class TensorSpec:
    """dtype and shape of a tensor; None stands for a free size."""

    dtype: str
    """`float32` or `string`."""
    shape: tuple[int | None, ...]
    """With the batch axis."""

    def __str__(self) -> str:
        """`float32 (B, 8, 8, 1)`."""
        sides = ["B", *("any" if each is None else str(each) for each in self.shape[1:])]
        return f"{self.dtype} ({', '.join(sides)}{',' * (len(sides) == 1)})"

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array has this shape."""
        return len(shape) == len(self.shape) and all(
            want in (None, have) for want, have in zip(self.shape, shape, strict=True)
        )

    def to_json(self, name: str) -> dict[str, Any]:
        """As a TensorInfo of TensorFlow's `signature_def`."""
        sizes = [{"size": str(-1 if each is None else each), "name": ""} for each in self.shape]
        dtype = {"string": "DT_STRING"}.get(self.dtype, "DT_FLOAT")
        return {"dtype": dtype, "tensor_shape": {"dim": sizes, "unknown_rank": False}, "name": f"{name}:0"}


@dataclass(frozen=True)
class ServedSignature:
    """A function of an export: named inputs, most often one, and named outputs."""

    name: str
    inputs: Mapping[str, TensorSpec]
    content: str
    """`preprocessed`, `pixels`, `encoded` or `values`, as in export.json."""
    outputs: Mapping[str, TensorSpec]

    @property
    def is_encoded(self) -> bool:
        """Whether it takes the bytes of image files."""
        return self.content == ENCODED

    def expects(self) -> str:
        """What a client has to send, for messages."""
        if self.is_encoded:
            return f'`{self.name}` expects image files in base64: {{"b64": "..."}} for each instance'
        what = {
            "pixels": "pixels of 0 to 255 after resize and crop",
            "preprocessed": "preprocessed images",
            "values": "as the network takes them",
        }
        inputs = " and ".join(f"`{name}`: {spec}" for name, spec in self.inputs.items())
        return f"`{self.name}` expects {inputs}, {what.get(self.content, self.content)}"

    def to_json(self) -> dict[str, Any]:
        """As in TensorFlow's `signature_def`."""
        return {
            "inputs": {name: spec.to_json(name) for name, spec in self.inputs.items()},
            "outputs": {name: spec.to_json(name) for name, spec in self.outputs.items()},
            "method_name": "tensorflow/serving/predict",
        }


def read_signatures(description: Mapping[str, Any]) -> dict[str, ServedSignature]:
    """The functions that export.json describes.

    Raises:
        KeyError, TypeError, ValueError: for a description that archspec did not write.
    """
    found = {}
    for name, each in description["signatures"].items():
        (content,) = {str(given["content"]) for given in each["inputs"].values()}
        inputs, outputs = (
            {key: TensorSpec(given["dtype"], tuple(given["shape"])) for key, given in each[side].items()}
            for side in ("inputs", "outputs")
        )
        found[name] = ServedSignature(name, inputs, content, outputs)
    return found
