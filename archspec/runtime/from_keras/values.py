"""How layers that merge, drop or scale values are read."""

from __future__ import annotations

from archspec.runtime.from_keras.arguments import channels_last, last_axis, plain
from archspec.runtime.from_keras.reading import NotReadable, Reading, reads


@reads("Concatenate")
def concat(reading: Reading) -> int:
    axis = reading.layer.axis
    return reading.add("concat", axis=-1 if axis == len(reading.shape(reading.inputs[0])) else axis)


@reads("CustomScaleLayer")  # of keras.applications.inception_resnet_v2: x + scale y
def scaled_sum(reading: Reading) -> int:
    x, y = reading.inputs
    return reading.add("add", x, reading.add("rescale", y, scale=float(reading.layer.scale)))


@reads("Dropout")
def dropout(reading: Reading) -> int:
    rate, noise_shape = float(reading.layer.rate), reading.layer.noise_shape
    rank = len(reading.shape(reading.inputs[0]))
    if noise_shape is None:
        return reading.add("dropout", rate=rate)
    if tuple(noise_shape) == (None, *(1,) * rank):
        return reading.add("stochastic_depth", rate=rate)
    return reading.add("dropout", rate=rate, noise_shape=tuple(noise_shape))


@reads("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
def spatial_dropout(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("spatial_dropout", rate=float(reading.layer.rate))


@reads("Rescaling")
def rescale(reading: Reading) -> int:
    return reading.add("rescale", scale=plain(reading.layer.scale), offset=plain(reading.layer.offset))


@reads("Normalization")
def normalize(reading: Reading) -> int:
    layer = reading.layer
    if layer.invert:
        raise NotReadable("it undoes a normalization")
    if layer.axis:
        last_axis(reading, layer.axis)
    mean, variance = (
        given if given is not None else learned
        for given, learned in (
            (layer.input_mean, getattr(layer, "adapt_mean", None)),
            (layer.input_variance, getattr(layer, "adapt_variance", None)),
        )
    )
    if mean is None or variance is None:
        raise NotReadable("it has no statistics")
    return reading.add("normalize", mean=plain(mean), variance=plain(variance))


@reads("Identity", "ActivityRegularization", "GaussianNoise", "GaussianDropout")
def nothing(reading: Reading) -> int:
    """What does nothing at inference has no operator, and is left out."""
    return reading.inputs[0]
