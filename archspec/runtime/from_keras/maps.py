"""How layers that pool, border or reshape a feature map are read."""

from __future__ import annotations

from typing import Any

from archspec.runtime.from_keras.arguments import channels_last, sides, sizes
from archspec.runtime.from_keras.reading import Reading, reads


def _pool(reading: Reading, head: str) -> int:
    layer = reading.layer
    channels_last(layer)
    pool, strides = sizes(layer.pool_size), sizes(layer.strides)
    return reading.add(head, pool_size=pool, strides=None if pool == strides else strides, padding=layer.padding)


@reads("MaxPooling1D", "MaxPooling2D", "MaxPooling3D")
def maxpool(reading: Reading) -> int:
    return _pool(reading, "maxpool")


@reads("AveragePooling1D", "AveragePooling2D", "AveragePooling3D")
def avgpool(reading: Reading) -> int:
    return _pool(reading, "avgpool")


@reads("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D")
def global_avgpool(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("global_avgpool", keepdims=reading.layer.keepdims)


@reads("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D")
def global_maxpool(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("global_maxpool", keepdims=reading.layer.keepdims)


@reads("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def zero_pad(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("zero_pad", padding=_axes(reading, reading.layer.padding))


@reads("Cropping1D", "Cropping2D", "Cropping3D")
def crop(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("crop", cropping=_axes(reading, reading.layer.cropping))


def _axes(reading: Reading, pixels: Any) -> Any:
    """Keras's 1-D layers have (before, after) where the others have a pair for each axis."""
    return sides((pixels,) if len(reading.shape(reading.inputs[0])) == 2 else pixels)


@reads("UpSampling1D", "UpSampling2D", "UpSampling3D")
def upsample(reading: Reading) -> int:
    layer = reading.layer
    channels_last(layer)
    factor = layer.size if isinstance(layer.size, int) else sizes(layer.size)
    return reading.add("upsample", size=factor, interpolation=getattr(layer, "interpolation", "nearest"))


@reads("Flatten")
def flatten(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("flatten")


@reads("Reshape")
def reshape(reading: Reading) -> int:
    return reshaped(reading, reading.layer.target_shape)


def reshaped(reading: Reading, target: Any) -> int:
    """`flatten` where a vector comes out."""
    if len(target) == 1 and None not in reading.shape(reading.inputs[0]):
        return reading.add("flatten")
    return reading.add("reshape", target_shape=[-1 if size is None else size for size in target])
