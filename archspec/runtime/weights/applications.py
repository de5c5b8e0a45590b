"""The models of keras.applications: with downloaded weights, or with the weights of an HDF5 file."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError, did_you_mean, fail, listed
from archspec.runtime.models.build import without_weights
from archspec.runtime.models.model_file import load_model
from archspec.runtime.models.untrusted.h5_dataset import damaged
from archspec.runtime.models.untrusted.variable_limit import limited_variables
from archspec.runtime.weights.matching import Unit

FUNCTIONS: dict[str, str] = {
    "vgg-D": "VGG16",
    "vgg-E": "VGG19",
    "resnet-keras-50": "ResNet50",
    "resnet-keras-101": "ResNet101",
    "resnet-keras-152": "ResNet152",
    "resnet-v2-keras-50": "ResNet50V2",
    "resnet-v2-keras-101": "ResNet101V2",
    "resnet-v2-keras-152": "ResNet152V2",
    "inception-v3-keras": "InceptionV3",
    "inception-resnet-v2-keras": "InceptionResNetV2",
    "xception": "Xception",
    "mobilenet-1.0-224": "MobileNet",
    "mobilenet-v2-1.0": "MobileNetV2",
    "mobilenet-v3-large": "MobileNetV3Large",
    "mobilenet-v3-small": "MobileNetV3Small",
    "densenet-keras-121": "DenseNet121",
    "densenet-keras-169": "DenseNet169",
    "densenet-keras-201": "DenseNet201",
    "nasnet-keras-mobile": "NASNetMobile",
    "nasnet-keras-large": "NASNetLarge",
    "efficientnet-b0": "EfficientNetB0",
    "efficientnet-b1": "EfficientNetB1",
    "efficientnet-b2": "EfficientNetB2",
    "efficientnet-b3": "EfficientNetB3",
    "efficientnet-b4": "EfficientNetB4",
    "efficientnet-b5": "EfficientNetB5",
    "efficientnet-b6": "EfficientNetB6",
    "efficientnet-b7": "EfficientNetB7",
    "efficientnet-v2-b0": "EfficientNetV2B0",
    "efficientnet-v2-b1": "EfficientNetV2B1",
    "efficientnet-v2-b2": "EfficientNetV2B2",
    "efficientnet-v2-b3": "EfficientNetV2B3",
    "efficientnet-v2-s": "EfficientNetV2S",
    "efficientnet-v2-m": "EfficientNetV2M",
    "efficientnet-v2-l": "EfficientNetV2L",
    "convnext-tiny": "ConvNeXtTiny",
    "convnext-small": "ConvNeXtSmall",
    "convnext-base": "ConvNeXtBase",
    "convnext-large": "ConvNeXtLarge",
    "convnext-xlarge": "ConvNeXtXLarge",
}
"""Reference -> function of keras.applications that builds the same network."""


def functions() -> dict[str, Any]:
    """Every function of keras.applications that builds a model, by its name."""
    import keras

    return dict(inspect.getmembers(keras.applications, inspect.isfunction))


def architecture(name: str) -> tuple[str, Any]:
    """The function of keras.applications of that name in any case, and its model, without weights in memory.

    Raises ArchspecError (unknown-application).
    """
    known = functions()
    function = _function(name, known)
    with without_weights():
        return function, known[function](weights=None)


def _function(name: str, known: Mapping[str, Any]) -> str:
    wanted = {word.lower(): word for word in known}.get(name.lower())
    if wanted is None:
        raise fail(
            "unknown-application",
            f"keras.applications has no function `{name}`",
            help=did_you_mean(name, known) or f"they are: {listed(known)}",
        )
    return wanted


def application(name: str, model_name: str) -> Any:
    """The model of keras.applications with its ImageNet weights; `imagenet` selects the function for the model's name.

    Raises ArchspecError: unknown-application, download.
    """
    known = functions()
    if name == "imagenet" and model_name not in FUNCTIONS:
        raise fail(
            "unknown-application",
            f"keras.applications has no network known to equal `{model_name}`",
            help="name a function, for example `keras:ResNet50`",
        )
    wanted = FUNCTIONS[model_name] if name == "imagenet" else _function(name, known)
    try:
        return known[wanted](weights="imagenet")
    except Exception as error:  # errors of network, proxy and disk have no common class
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise fail(
            "download",
            f"cannot download the weights of {wanted}",
            notes=[f"Keras says: {reason[:300]}"],
            help="download the file on another machine and pass it: `--weights FILE.h5`",
        ) from error


def model_with(path: Path, units: Sequence[Unit], model_name: str) -> Any:
    """The Keras model of an HDF5 file, with its weights; None if neither the file nor its name identifies it.

    A file of a whole model contains its configuration. A file of keras.applications has the name of the function
    (resnet50_weights_tf_dim_ordering_tf_kernels.h5), or the layers of the function for `model_name`.
    """
    described = _described(path)
    if described is not None:
        return described
    known = functions()
    squeezed = re.sub(r"[^a-z0-9]", "", path.name.lower())
    named = [name for name in known if name.lower() in squeezed]
    function = max(named, key=len) if named else FUNCTIONS.get(model_name)
    if function is None or sum(unit.kind != "param" for unit in units) < 2:
        return None
    top = "notop" not in squeezed
    heads = [unit for unit in units if unit.kind == "dense"] or [units[-1]]  # .weights.h5 is sorted by class
    classes = heads[-1].shapes[0][-1] if top else 1000
    with limited_variables(path.stat().st_size), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = known[function](weights=None, include_top=top, classes=classes)
            model.load_weights(path)
        except (ValueError, TypeError, KeyError, IndexError, OSError):  # it has other layers than its name says
            return None
    return None if any("could not be loaded" in str(warning.message) for warning in caught) else model


def _described(path: Path) -> Any:
    """The model of a file that contains its configuration."""
    import h5py

    with damaged(path), h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            return None
    try:
        return load_model(path)[0]
    except ArchspecError as error:
        if error.diagnostics[0].code == "weights-damaged":
            raise
        return None  # code and unknown layers are rejected; the order of the weights is still known
