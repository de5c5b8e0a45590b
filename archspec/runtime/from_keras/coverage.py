"""Which operator each layer of Keras becomes, or why a spec cannot have it: the table of docs/keras.md."""

from __future__ import annotations

from archspec.ops import OPS
from archspec.runtime.from_keras.operations import LEFT_OUT, READERS

_RECURRENT = "not possible: specs have no loops over a sequence"
_CATEGORIES = "not possible: it works on words, categories or masks, but the inputs of a spec are real numbers"
_CODE = "not possible: it contains code, which a spec cannot"
_TRUTH = "no operator: specs have no truth values; `relu`, `threshold`, `maximum`, `minimum` and `clip` choose values"
_IMAGES = "no operator: it changes images at inference too"

REASONS: dict[str, str] = {
    **dict.fromkeys(("Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRU", "GRUCell", "LSTM"), _RECURRENT),
    **dict.fromkeys(("LSTMCell", "RNN", "SimpleRNN", "SimpleRNNCell", "StackedRNNCells"), _RECURRENT),
    "TimeDistributed": "no operator: it applies a layer to each step of a sequence; only a `Dense` is read, as `dense`",
    **dict.fromkeys(("CategoryEncoding", "Discretization", "HashedCrossing", "Hashing"), _CATEGORIES),
    "Embedding": _CATEGORIES,
    **dict.fromkeys(("IntegerLookup", "Masking", "ReversibleEmbedding", "StringLookup"), _CATEGORIES),
    "TextVectorization": _CATEGORIES,
    **dict.fromkeys(("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"), _CODE),
    **dict.fromkeys(("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization"), _IMAGES),
    **dict.fromkeys(("MelSpectrogram", "STFTSpectrogram"), "no operator: it computes spectra of sound"),
    **dict.fromkeys(("AdditiveAttention", "Attention"), "no operator: it has no heads; use `MultiHeadAttention`"),
    "EinsumDense": "no operator: its equation can be any product; use `Dense` where it is one",
    "GroupedQueryAttention": "no operator: its heads share keys; use `MultiHeadAttention`",
    "SpectralNormalization": "no operator: it scales the kernel of another layer in each step of training",
    **dict.fromkeys(("Layer", "Pipeline", "Wrapper"), "not possible: it is a base class, or contains other layers"),
    **dict.fromkeys(("Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual", "Where"), _TRUTH),
    **dict.fromkeys(("LogicalAnd", "LogicalNot", "LogicalOr"), _TRUTH),
    **dict.fromkeys(
        ("Argmax", "Argmin", "Argsort", "OneHot", "Sort", "TopK"),
        "no operator: it sorts its input, or gives positions instead of values",
    ),
    "Einsum": "no operator: its equation can be any product; use `ops.matmul`",
    "Roll": "no operator: it is read only as a part of `window_attention`",
}
"""Class of a Keras layer, or of a function of `keras.ops`, that no operator reads -> the reason."""

OTHERS: dict[str, str] = {
    "InputLayer": "`input`",
    "Activation": "the operator of its function",
    "Identity": "left out",
    **dict.fromkeys(LEFT_OUT, "left out: no effect at inference"),
    "RandomCrop": "left out: no effect at inference, where it keeps the size",
    **dict.fromkeys((f"AdaptiveAveragePooling{rank}D" for rank in (1, 2, 3)), "`adaptive_avgpool`"),
    **dict.fromkeys((f"AdaptiveMaxPooling{rank}D" for rank in (1, 2, 3)), "`adaptive_maxpool`"),
    "RepeatVector": "`reshape` and `upsample`",
    "CenterCrop": "`crop`, for an input of known size",
    "Cast": "left out, for numbers with a fraction",
    "CustomScaleLayer": "`rescale` and `add`",
    **dict.fromkeys(("Divide", "TrueDivide"), "`divide`; with a number, `rescale`"),
    "Power": "`power`; with a number, `square`, `multiply`, `sqrt`, `rsqrt`, `reciprocal` or `exp`",
    "Flip": "`flip`; of few channels, `select_channels`",
    "Std": "`reduce_variance` and `sqrt`",
    "Norm": "`square`, `reduce_sum` and `sqrt`; of order 1, `abs` and `reduce_sum`",
    "Normalize": "`unit_norm`; of order 1 or another epsilon, `reduce_sum`, `threshold` and `divide`",
    "Log1p": "`rescale` and `log`",
    "Expm1": "`exp` and `rescale`",
    "MaxPool": "`maxpool`",
    "AveragePool": "`avgpool`",
    "Resize": "`resizing`",
    "Tile": "`concat` of copies",
    "Repeat": "`upsample`; of channels, `select_channels`",
    "GetItem": "`slice`, `take`, `flip`, `select_channels` and `reshape`",
    "Pad": "`zero_pad`",
    "Take": "`take` or `select_channels`",
    "Stack": "`reshape` and `concat`; of single channels, `select_channels`",
    "Average": "`average`; as a function, `reduce_mean`",
    "Maximum": "`maximum`; with a number, `relu` or `threshold`",
    "Minimum": "`minimum`; with a number, `negative` and `threshold`",
    "Split": "`slice` for each part",
    "Unstack": "`take` for each part",
    **dict.fromkeys(("ExpandDims", "Squeeze"), "`reshape`"),
    **dict.fromkeys(("Moveaxis", "Swapaxes"), "`permute`"),
}
"""Classes that no operator reads by itself."""


def rows() -> list[tuple[str, str]]:
    """Class of a layer, or of a function of `keras.ops`, with its operator or the reason; sorted by name."""
    read: dict[str, list[str]] = {}
    for name, op in OPS.items():
        for layer in op.keras_layers:
            read.setdefault(layer, []).append(f"`{name}`")
    assert set(READERS) <= {*OTHERS, *read, *REASONS}
    found = {layer: " or ".join(names) for layer, names in read.items()}
    return sorted({**found, **OTHERS, **REASONS}.items())
