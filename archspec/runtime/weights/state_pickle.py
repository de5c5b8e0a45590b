"""Read the pickle of a PyTorch state dict without running it.

A pickle is a program for a stack machine, and Python's pickle module calls every function that it names. This reader
supports the opcodes for dictionaries, lists, text and numbers, and four functions that describe tensors; it rejects all
other names. It looks up no class and imports nothing.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

MAX_STEPS = 5_000_000  # of a pickle; a state dict of ten thousand tensors has some 400,000


class PickleError(ValueError):
    """The data is not the pickle of a state dict. `unsafe` is the forbidden name, if it has one."""

    def __init__(self, message: str, unsafe: str | None = None) -> None:
        super().__init__(message)
        self.unsafe = unsafe


@dataclass(frozen=True)
class Storage:
    """A flat array of numbers. `key` identifies it in the file."""

    dtype: str
    key: str
    size: int


@dataclass(frozen=True)
class View:
    """A tensor: a view of a storage. `offset` and `strides` count items."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Name:
    """A global name in the pickle, which is never looked up."""

    text: str


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


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> View:
    sizes = (*shape, *strides, offset)
    if not isinstance(storage, Storage) or len(shape) != len(strides):
        raise PickleError("a tensor has no storage")
    if not all(isinstance(size, int) and 0 <= size < 2**48 for size in sizes):
        raise PickleError("a tensor has invalid sizes")
    return View(storage, offset, tuple(shape), tuple(strides))


CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": dict,
    "torch._utils._rebuild_tensor": _view,
    "torch._utils._rebuild_tensor_v2": _view,
    "torch._utils._rebuild_parameter": lambda view, *_: view,
}
NAMES = {f"torch.{name}" for name in DTYPES} | set(CALLS)
"""The names that a state dict may contain."""

_MARK = object()


def read_pickle(file: IO[bytes], storage: Callable[[tuple[Any, ...]], Storage]) -> Any:
    """The value of the pickle at the position of `file`, which is then after the pickle.

    `storage` returns the storage for a persistent id. Raises PickleError.
    """
    machine = _Machine(storage)
    try:
        for steps, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if steps > MAX_STEPS:
                raise PickleError("its pickle has too many instructions")
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except PickleError:
        raise
    except Exception as error:  # damaged: the stack, the memo or the arguments have no such item
        raise PickleError(f"its pickle is truncated or damaged ({type(error).__name__})") from error
    raise PickleError("its pickle has no end")


class _Machine:
    def __init__(self, storage: Callable[[tuple[Any, ...]], Storage]) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storage = storage

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                stack.append(_MARK)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.append({"EMPTY_DICT": {}, "EMPTY_LIST": [], "EMPTY_TUPLE": ()}[name])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "LONG4" | "INT" | "LONG" | "BINFLOAT" | "FLOAT":
                stack.append(argument)
            case "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8" | "UNICODE" | "BINSTRING" | "SHORT_BINSTRING":
                stack.append(argument)
            case "BINPUT" | "LONG_BINPUT" | "PUT":
                self.memo[int(argument)] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET" | "GET":
                stack.append(self.memo[int(argument)])
            case "POP":
                stack.pop()
            case "TUPLE":
                stack.append(tuple(self.marked()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self.top(int(name[-1]))))
            case "APPEND":
                (value,) = self.top(1)
                self.of(list).append(value)
            case "APPENDS":
                values = self.marked()
                self.of(list).extend(values)
            case "SETITEM":
                key, value = self.top(2)
                self.of(dict)[key] = value
            case "SETITEMS":
                values = self.marked()
                self.of(dict).update(zip(values[::2], values[1::2], strict=True))
            case "GLOBAL":
                stack.append(self.named(".".join(argument.split(" "))))
            case "STACK_GLOBAL":
                stack.append(self.named(".".join(self.top(2))))
            case "REDUCE":
                function, arguments = self.top(2)
                stack.append(CALLS[function.text](*arguments))
            case "BUILD":  # the versions of the modules, an attribute of a state dict
                stack.pop()
                self.of(dict)
            case "BINPERSID":
                stack.append(self.storage(stack.pop()))
            case _:
                raise PickleError(f"its pickle has the instruction {name}, which no state dict needs")

    def top(self, count: int) -> list[Any]:
        """The last values, removed from the stack."""
        values = self.stack[-count:]
        if len(values) < count or any(value is _MARK for value in values):
            raise PickleError("its pickle reads from an empty stack")
        del self.stack[-count:]
        return values

    def marked(self) -> list[Any]:
        """The values after the last mark, removed from the stack with the mark."""
        start = next(i for i in range(len(self.stack) - 1, -1, -1) if self.stack[i] is _MARK)
        values = self.stack[start + 1 :]
        del self.stack[start:]
        return values

    def of(self, kind: type) -> Any:
        """The value on top of the stack, which is not removed."""
        if not isinstance(self.stack[-1], kind):
            raise PickleError(f"something other than a {kind.__name__}")
        return self.stack[-1]

    def named(self, text: str) -> Name:
        if text not in NAMES:
            raise PickleError(f"it calls `{text}`", unsafe=text)
        return Name(text)
