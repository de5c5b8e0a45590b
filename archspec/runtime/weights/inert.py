"""The names that a pickle of weights may contain, and the data that stands for their objects. No name is looked up.

A checkpoint holds more than tensors: options of the training script, the state of random generators, paths. Such
objects are read as inert data. A call of any other function is rejected.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DTYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
"""Class of a storage in torch -> NumPy's type of its numbers."""
UNTYPED = {"torch.UntypedStorage", "torch.storage.UntypedStorage"}
"""Storages that are counted in bytes; the tensor names the type."""
TENSOR_TYPES = {
    **{
        name: name for name in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8")
    },
    "double": "float64",
    "float": "float32",
    "half": "float16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "bool": "bool",
}
"""dtype of torch -> NumPy's type."""
BUILTINS = (
    "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple xrange NoneType "
    "Ellipsis"
)
NUMPY_TYPES = (
    "bool bool_ int8 int16 int32 int64 intc intp uint8 uint16 uint32 uint64 float16 float32 float64 longdouble "
    "complex64 complex128 str_ bytes_ object_ datetime64 timedelta64 generic"
)
TORCH_OTHERS = (
    "uint16 uint32 uint64 complex32 complex64 complex128 cfloat cdouble float8_e4m3fn float8_e5m2 qint8 quint8 qint32 "
    "device Size Generator strided sparse_coo contiguous_format channels_last preserve_format per_tensor_affine"
)
INERT: Mapping[str, str] = {
    "argparse": "Namespace",
    "builtins": BUILTINS,
    "types": "SimpleNamespace",
    "typing": "Any Dict List Optional Sequence Tuple Union",
    "collections": "OrderedDict defaultdict Counter deque ChainMap UserDict",
    "copyreg": "_reconstructor __newobj__",
    "datetime": "datetime date time timedelta timezone",
    "decimal": "Decimal",
    "enum": "Enum IntEnum",
    "fractions": "Fraction",
    "http": "HTTPStatus",
    "random": "Random",
    "re": "_compile",
    "signal": "Signals",
    "uuid": "UUID",
    "zoneinfo": "ZoneInfo ZoneInfo._unpickle",
    "_codecs": "encode",
    **dict.fromkeys(("pathlib", "pathlib._local"), "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath"),
    "numpy": f"dtype ndarray {NUMPY_TYPES}",
    **dict.fromkeys(("numpy.core.multiarray", "numpy._core.multiarray"), "_reconstruct scalar"),
    **dict.fromkeys(("numpy.core.numeric", "numpy._core.numeric"), "_frombuffer"),
    **dict.fromkeys(
        (
            *("numpy.random", "numpy.random.mtrand", "numpy.random._pickle", "numpy.random._generator"),
            *(f"numpy.random.{name}" for name in ("bit_generator", "_mt19937", "_pcg64", "_philox", "_sfc64")),
        ),
        "RandomState Generator SeedSequence MT19937 PCG64 PCG64DXSM Philox SFC64 __randomstate_ctor __generator_ctor "
        "__bit_generator_ctor __pyx_unpickle_SeedSequence",
    ),
    "torch": f"{' '.join(TENSOR_TYPES)} {TORCH_OTHERS} {' '.join(DTYPES)} UntypedStorage",
    "torch.storage": "UntypedStorage TypedStorage",
    "torch.nn.parameter": "Parameter Buffer",
    "torch.serialization": "_get_layout",
    "torch.torch_version": "TorchVersion",
    "torch._utils": "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter "
    "_rebuild_parameter_with_state",
    "torch._tensor": "_rebuild_from_type_v2",
    "torchvision.transforms.functional": "InterpolationMode",
    "PIL.Image": "Resampling",
}
"""Module -> names in it that describe data. numpy.dtypes has one class for each type and is complete."""
RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg", "UserDict": "collections"}
"""Modules of Python 2 -> those of Python 3."""


@dataclass(frozen=True)
class Name:
    """A global name in the pickle, which is never looked up."""

    text: str

    @property
    def last(self) -> str:
        return self.text.rpartition(".")[2]


@dataclass(eq=False)
class Inert:
    """An object that is neither a tensor nor a container: its class, and its attributes where the file has them."""

    kind: str
    state: Any = field(default=None, repr=False)


def is_inert(module: str, name: str) -> bool:
    """Whether the name is one of INERT."""
    module = RENAMED.get(module, module)
    return name in INERT.get(module, "").split() or (module == "numpy.dtypes" and name.endswith("DType"))


def is_foreign_class(text: str) -> bool:
    """Whether a name may be the class of an object without arguments: of a package, not of Python itself.

    Python only creates such an object and sets its attributes, as for an instance of a dataclass. Those of Python's own
    library that checkpoints need are in INERT.
    """
    return text.partition(".")[0] not in sys.stdlib_module_names and text.partition(".")[0] != "__builtin__"


def is_member(text: str, arguments: tuple[Any, ...]) -> bool:
    """Whether a call may be a member of an enumeration of a package: a class with one number."""
    return (
        is_foreign_class(text)
        and text.rpartition(".")[2][:1].isupper()
        and len(arguments) == 1
        and isinstance(arguments[0], int)
    )


def normal(module: str, name: str) -> str:
    """The full name, with the modules of Python 3."""
    return f"{RENAMED.get(module, module)}.{name}"
