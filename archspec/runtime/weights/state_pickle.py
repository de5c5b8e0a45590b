"""Read the pickle of a PyTorch checkpoint without running it.

A pickle is a program for a stack machine, and Python's pickle module calls every function that it names. This reader
supports the instructions for containers, text and numbers, and the names of `inert`: tensors, arrays and inert objects.
It rejects a call of any other function. It looks up no class and imports nothing.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archspec.runtime.models.untrusted.file_limits import PICKLE_STEPS, RANK
from archspec.runtime.weights.inert import (
    DTYPES,
    TENSOR_TYPES,
    UNTYPED,
    Inert,
    Name,
    is_foreign_class,
    is_inert,
    is_member,
    normal,
)


class PickleError(ValueError):
    """The data is not the pickle of a checkpoint. `unsafe` is the forbidden name, if it has one."""

    def __init__(self, message: str, unsafe: str | None = None) -> None:
        super().__init__(message)
        self.unsafe = unsafe


@dataclass(frozen=True)
class Storage:
    """A flat array of numbers. `key` identifies it in the file."""

    dtype: str
    key: str
    size: int


@dataclass(frozen=True, eq=False)
class View:
    """A tensor: a view of a storage. `offset` and `strides` count items of `dtype`."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str


@dataclass(eq=False)
class Array:
    """A NumPy array, whose numbers are in the pickle: `dtype` as in '<f4', in C order unless `fortran`."""

    dtype: str = ""
    shape: tuple[int, ...] = ()
    data: bytes | None = None
    fortran: bool = False


def view(storage: Any, offset: Any, shape: Any, strides: Any, dtype: str | None = None) -> View:
    """The tensor of `_rebuild_tensor_v2`, checked. Raises PickleError."""
    if not isinstance(storage, Storage) or len(shape) != len(strides):
        raise PickleError("a tensor has no storage")
    if len(shape) > RANK:
        raise PickleError(f"a tensor has {len(shape)} axes")
    if not all(isinstance(size, int) and 0 <= size < 2**48 for size in (*shape, *strides, offset)):
        raise PickleError("a tensor has invalid sizes")
    return View(storage, offset, tuple(shape), tuple(strides), dtype or storage.dtype)


def storage_of(identity: Any) -> Storage:
    """The storage of a persistent ID: ('storage', torch.FloatStorage, key, device, size[, view])."""
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise PickleError("a persistent ID does not name a storage")
    _, kind, key, _, size, *part = identity
    text = kind.text if isinstance(kind, Name) else ""
    dtype = "uint8" if text in UNTYPED else DTYPES.get(text.removeprefix("torch."))
    if dtype is None or any(part):
        raise PickleError(f"a storage has an unknown type{f', `{text}`' if text else ''}")
    if not isinstance(key, str) or not isinstance(size, int) or not 0 <= size < 2**48:
        raise PickleError("a storage has no size")
    return Storage(dtype, key, size)


def read_pickle(file: Any, storage: Callable[[tuple[Any, ...]], Storage], steps: int = PICKLE_STEPS) -> Any:
    """The value of the pickle at the position of `file`, which is then after the pickle. A file has `read` and
    `readline`.

    `storage` returns the storage for a persistent id; `steps` limits the instructions. Raises PickleError.
    """
    machine = _Machine(storage, steps)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            machine.spend(1)
            if opcode.name == "STOP":
                return machine.stack.pop()
            action = ACTIONS.get(opcode.name)
            if action is None:
                raise PickleError(f"its pickle has the instruction {opcode.name}, which no checkpoint needs")
            action(machine, argument)
    except PickleError:
        raise
    except Exception as error:  # damaged: the stack, the memo or the arguments have no such item
        raise PickleError(f"its pickle is truncated or damaged ({type(error).__name__})") from error
    raise PickleError("its pickle has no end")


_MARK = object()
PLAIN = (str, int, float, bool, bytes, type(None))


class _Machine:
    def __init__(self, storage: Callable[[tuple[Any, ...]], Storage], steps: int) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storage = storage
        self.left = steps

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise PickleError("its pickle has too many instructions")

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

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(values)
        elif not isinstance(target, Inert):
            raise PickleError("something other than a list gets items")

    def update(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Inert) and not isinstance(target.state, dict):
            target.state = {}  # a subclass of dict, as configurations are
        found = target.state if isinstance(target, Inert) else target
        if not isinstance(found, dict):
            raise PickleError("something other than a dict gets items")
        found.update(_dictionary(values))

    def name(self, module: Any, name: Any) -> None:
        self.spend(1)
        self.stack.append(_named(module, name))

    def frozenset(self) -> None:
        self.marked()
        self.stack.append(Inert("builtins.frozenset"))

    def reduce(self) -> None:
        function, arguments = self.top(2)
        self.stack.append(self.called(function, arguments))

    def create(self, count: int) -> None:
        """An object of a class, its arguments, and its arguments with names if `count` is 3."""
        kind, arguments, *options = self.top(count)
        self.stack.append(self.instance(kind, (*arguments, *(options[0] if options else ()))))

    def called(self, function: Any, arguments: Any) -> Any:
        """What a call describes: a tensor, an array, a container, or an inert object. Nothing is called."""
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise PickleError("its pickle calls something without a name")
        module, _, last = function.text.rpartition(".")
        if is_member(function.text, arguments):
            return Inert(function.text)
        if not is_inert(module, last):
            raise PickleError(f"it calls `{function.text}`", unsafe=function.text)
        match last, *arguments:
            case (("OrderedDict" | "Counter" | "dict" | "UserDict"), *given):
                return self.dictionary(given[0] if given else ())
            case "defaultdict", *given:
                return self.dictionary(given[1] if len(given) > 1 else ())
            case (("deque" | "list"), *given):
                items = given[0] if given and isinstance(given[0], (list, tuple)) else ()
                self.spend(len(items))
                return list(items)
            case "encode", str(text), *_:
                self.spend(len(text) >> 6)
                return text.encode("latin1")
            case (("_rebuild_tensor" | "_rebuild_tensor_v2"), storage, offset, shape, strides, *_):
                return view(storage, offset, shape, strides)
            case "_rebuild_tensor_v3", storage, offset, shape, strides, _, _, Name() as dtype, *_:
                if dtype.last.startswith(("float8", "float4", "qint", "quint")):
                    raise PickleError(f"it has tensors of {dtype.text}")
                if dtype.last not in TENSOR_TYPES:
                    return Inert(f"a tensor of {dtype.text}")
                return view(storage, offset, shape, strides, TENSOR_TYPES[dtype.last])
            case (("_rebuild_parameter" | "_rebuild_parameter_with_state" | "Parameter" | "Buffer"), tensor, *_):
                return tensor
            case "_rebuild_from_type_v2", Name() as inner, Name(), tuple(given), *_:
                return self.called(inner, given)
            case "_reconstructor", Name() as kind, *_:
                return self.instance(kind, ())
            case "__newobj__", Name() as kind, *given:
                return self.instance(kind, tuple(given))
            case "_reconstruct", Name(), *_:
                return Array()
            case "dtype", str(text), *_:
                return Inert("numpy.dtype", text)
            case "_frombuffer", bytes(data), Inert("numpy.dtype", str(dtype)), tuple(shape), *order:
                return Array(dtype, _shape(shape), data, order == ["F"])
        return Inert(function.text)

    def dictionary(self, items: Any) -> dict[Any, Any]:
        """A new dictionary of another one, or of pairs."""
        pairs = items.items() if isinstance(items, dict) else items
        self.spend(len(pairs))
        return {_key(key): value for key, value in pairs}

    def instance(self, kind: Any, arguments: tuple[Any, ...]) -> Any:
        """An object of a class: of INERT, or of a package, whose object has attributes only."""
        if not isinstance(kind, Name):
            raise PickleError("its pickle creates an object without a class")
        module, _, last = kind.text.rpartition(".")
        if is_inert(module, last):
            return self.called(kind, arguments)
        if arguments or not is_foreign_class(kind.text):
            raise PickleError(f"it calls `{kind.text}`", unsafe=kind.text)
        return Inert(kind.text)

    def build(self) -> None:
        """Set the state of the object on top of the stack."""
        (state,) = self.top(1)
        target = self.stack[-1]
        match target, state:
            case Array(), (_, tuple(shape), Inert("numpy.dtype", str(dtype)), fortran, data):
                data = data.encode("latin1") if isinstance(data, str) else data
                target.dtype, target.shape, target.fortran = dtype, _shape(shape), bool(fortran)
                target.data = data if isinstance(data, bytes) else None
            case Inert("numpy.dtype", str(dtype)), (_, ("<" | ">" | "|") as order, *_):
                target.state = order + dtype.lstrip("<>|=")
            case Inert(), _ if target.kind != "numpy.dtype":
                if isinstance(state, tuple) and len(state) == 2:  # with __slots__
                    state = state[0] or state[1]
                if isinstance(state, dict):
                    target.state = {**(target.state or {}), **state} if isinstance(target.state, dict) else state
                    self.spend(len(target.state))


def _key(value: Any) -> Any:
    """A key of a dictionary. The hash of nested tuples can take any time, so their identity stands for them."""
    if isinstance(value, PLAIN):
        return value
    return Inert("key")


def _shape(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    if len(sizes) > RANK or not all(isinstance(size, int) and 0 <= size < 2**48 for size in sizes):
        raise PickleError("an array has invalid sizes")
    return tuple(sizes)


def _named(module: Any, name: Any) -> Name:
    """A name as data. Raises PickleError for a function of Python's library, which could do anything."""
    if not isinstance(module, str) or not isinstance(name, str):
        raise PickleError("its pickle has a name that is not text")  # which is not shown: it can be nested endlessly
    text = normal(module, name)
    if not is_inert(module, name) and not is_foreign_class(text):
        raise PickleError(f"it calls `{module}.{name}`", unsafe=f"{module}.{name}")
    return Name(text)


def _dictionary(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(map(_key, values[::2]), values[1::2], strict=True))


Action = Callable[[_Machine, Any], object]

NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "FLOAT")
TEXTS = ("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING")
BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8")

ACTIONS: dict[str, Action] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, _: None),
    **dict.fromkeys((*NUMBERS, *TEXTS, *BYTES), lambda machine, value: machine.stack.append(value)),
    **dict.fromkeys(
        ("BINPUT", "LONG_BINPUT", "PUT"), lambda machine, key: machine.memo.update({int(key): machine.stack[-1]})
    ),
    **dict.fromkeys(
        ("BINGET", "LONG_BINGET", "GET"), lambda machine, key: machine.stack.append(machine.memo[int(key)])
    ),
    "MARK": lambda machine, _: machine.stack.append(_MARK),
    "NONE": lambda machine, _: machine.stack.append(None),
    "NEWTRUE": lambda machine, _: machine.stack.append(True),
    "NEWFALSE": lambda machine, _: machine.stack.append(False),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "EMPTY_SET": lambda machine, _: machine.stack.append(Inert("builtins.set")),
    "BYTEARRAY8": lambda machine, value: machine.stack.append(bytes(value)),
    "MEMOIZE": lambda machine, _: machine.memo.update({len(machine.memo): machine.stack[-1]}),
    "POP": lambda machine, _: machine.stack.pop(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "POP_MARK": lambda machine, _: machine.marked(),
    "ADDITEMS": lambda machine, _: machine.marked(),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.marked())),
    "TUPLE1": lambda machine, _: machine.stack.append(tuple(machine.top(1))),
    "TUPLE2": lambda machine, _: machine.stack.append(tuple(machine.top(2))),
    "TUPLE3": lambda machine, _: machine.stack.append(tuple(machine.top(3))),
    "LIST": lambda machine, _: machine.stack.append(machine.marked()),
    "DICT": lambda machine, _: machine.stack.append(_dictionary(machine.marked())),
    "FROZENSET": lambda machine, _: machine.frozenset(),
    "APPEND": lambda machine, _: machine.extend(machine.top(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.marked()),
    "SETITEM": lambda machine, _: machine.update(machine.top(2)),
    "SETITEMS": lambda machine, _: machine.update(machine.marked()),
    "GLOBAL": lambda machine, names: machine.name(*names.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.name(*machine.top(2)),
    "REDUCE": lambda machine, _: machine.reduce(),
    "NEWOBJ": lambda machine, _: machine.create(2),
    "NEWOBJ_EX": lambda machine, _: machine.create(3),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.stack.append(machine.storage(machine.stack.pop())),
}
"""What each instruction does, by its name in pickletools."""
