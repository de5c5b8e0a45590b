"""The sets of weights in a checkpoint: those of the network, their moving average, those of a second network.

A set is named by the keys that lead to it: `model_ema`, `state.generator`. `FILE#KEY` selects one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.runtime.models.untrusted.file_limits import MEMBERS, NODES
from archspec.runtime.weights.inert import Inert
from archspec.runtime.weights.matching import Tensor
from archspec.runtime.weights.state_pickle import Array, PickleError, View

PLAIN = {"state", "dict", "model", "module", "net", "network", "params", "weights", "checkpoint", "online", "g"}
"""Words in the keys of the weights themselves: `model_state_dict`, `net`, `params`."""
AVERAGES = ("ema", "average", "averaged", "avg", "swa", "shadow")
"""Words in the keys of moving averages: `state_dict_ema`, `model_ema`."""
RANKS = (0, 2, 1)
"""The ranks of sets, those that are preferred first: see `rank`."""
PREFIXES = ("module.", "_orig_mod.", "model.")
"""Prefixes that wrappers add to every name: DataParallel, torch.compile, trainers."""
ROLES = ("weight", "bias", "running_mean", "running_var")

Make = Callable[[str, Any], Tensor]


@dataclass(frozen=True)
class WeightSet:
    """Tensors by name, in the order of the file, and the key of the set; the key is empty for the file as a whole."""

    key: str
    tensors: Mapping[str, Tensor]

    @property
    def rank(self) -> int:
        return rank(self.key)

    def named(self) -> dict[str, Tensor]:
        """The tensors without the prefixes that all names have."""
        found = dict(self.tensors)
        for prefix in PREFIXES:
            if all(name.startswith(prefix) for name in found):
                found = {name.removeprefix(prefix): tensor for name, tensor in found.items()}
        return found


def rank(key: str) -> int:
    """0 for the weights of the network, 1 for a moving average of them, 2 if the key does not tell."""
    words = set(key.lower().replace(".", "_").replace("/", "_").split("_")) - {""}
    if words & set(AVERAGES):
        return 1
    return 0 if words <= PLAIN else 2


def find_sets(value: Any, make: Make) -> list[WeightSet]:
    """All sets in the value of a pickle, by rank, then in the order of the file.

    Left out: the state of optimizers and of random generators, and single numbers beside the weights.
    """
    sets = [WeightSet(key, found) for key, found in _dictionaries(value, make)]
    large = [each for each in sets if any(_is_weight(*item) for item in each.tensors.items())]
    return sorted(large or sets, key=lambda each: RANKS.index(each.rank))


def _is_weight(name: str, tensor: Tensor) -> bool:
    return len(tensor.shape) > 1 or (bool(tensor.shape) and name.rpartition(".")[2] in ROLES)


def _dictionaries(value: Any, make: Make) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The key and the tensors of each dictionary that has some, without optimizers, breadth first."""
    waiting: deque[tuple[str, Any]] = deque([("", value)])
    seen: set[int] = set()
    count = 0
    while waiting:
        path, node = waiting.popleft()
        node = _contents(node)
        if id(node) in seen or not isinstance(node, (dict, list, tuple)):
            continue
        seen.add(id(node))
        items: Any = node.items() if isinstance(node, dict) else enumerate(node)
        if isinstance(node, dict) and "param_groups" in node:
            continue
        found = {}
        for key, child in items:
            count += 1
            if count > NODES + MEMBERS:
                raise PickleError("it has too many entries")
            if isinstance(child, (View, Array)):
                if isinstance(key, str) and not _is_generator(key) and _numeric(child):
                    found[key] = make(key, child)
            elif isinstance(child, (dict, list, tuple, Inert)) and not _is_optimizer(key):
                waiting.append((f"{path}.{key}" if path else str(key), child))
        if found:
            yield path, found


def _numeric(tensor: View | Array) -> bool:
    return isinstance(tensor, View) or (tensor.data is not None and tensor.dtype.lstrip("<>|=")[:1] in ("f", "i", "u"))


def _is_generator(key: str) -> bool:
    """Whether it is the state of a random generator, `cuda_rng_state`, and not a weight of a layer."""
    return "rng" in key.lower() and "." not in key


def _is_optimizer(key: Any) -> bool:
    return isinstance(key, str) and any(word in key.lower() for word in ("optim", "rng", "sched"))


def _contents(node: Any) -> Any:
    """The attributes of an object; the state dict of a whole torch.nn.Module."""
    if not isinstance(node, Inert) or not isinstance(node.state, dict):
        return node
    return _state_dict(node) if "_modules" in node.state else node.state


def _state_dict(module: Inert) -> dict[str, Any]:
    """What `module.state_dict()` would return: parameters, buffers, then the modules inside. Nothing is called."""
    found: dict[str, Any] = {}
    seen: set[int] = set()

    def visit(module: Any, prefix: str, depth: int) -> None:
        state = module.state if isinstance(module, Inert) else None
        if not isinstance(state, dict) or id(module) in seen:
            return
        seen.add(id(module))
        if depth > 100 or len(found) > MEMBERS:
            raise PickleError("its modules are nested too deeply")
        for group in ("_parameters", "_buffers"):
            for name, tensor in _items(state.get(group)):
                if isinstance(tensor, (View, Array)):
                    found[f"{prefix}{name}"] = tensor
        for name, inner in _items(state.get("_modules")):
            visit(inner, f"{prefix}{name}.", depth + 1)

    visit(module, "", 0)
    return found


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    yield from value.items() if isinstance(value, dict) else ()


def select(sets: Sequence[WeightSet], key: str, source: str) -> list[WeightSet]:
    """The sets that `key` names: a set, or the tensors of sets whose names begin with it.

    Raises:
        ArchspecError: `weights-not-found`.
    """
    wanted = key.replace("/", ".").strip(".")
    for each in sets:
        if each.key == wanted:
            return [each]
    for each in sets:  # a prefix of names, as in `state_dict.teacher`
        prefix = wanted.removeprefix(f"{each.key}.") if each.key else wanted
        for tensors in (each.tensors, each.named()):
            inside = {
                name.removeprefix(f"{prefix}."): tensor
                for name, tensor in tensors.items()
                if name.startswith(f"{prefix}.")
            }
            if inside:
                return [WeightSet(wanted, inside)]
    nested = joined([each for each in sets if each.key.startswith(f"{wanted}.")], wanted)
    if nested is not None:
        return [nested]
    known = keys_of(sets)
    raise fail(
        "weights-not-found",
        f"`{source}` has no weights under `{key}`",
        help=did_you_mean(wanted, known)
        or (f"it has {listed([f'`{word}`' for word in known], 12)}" if known else None),
    )


def keys_of(sets: Sequence[WeightSet]) -> list[str]:
    """The keys that select something: of sets, and the first words of the names in them, if there are several."""
    found = [each.key for each in sets if each.key]
    for each in sets:
        words = list(dict.fromkeys(name.partition(".")[0] for name in each.tensors if "." in name))
        if 1 < len(words) <= 12:
            found += [f"{each.key}.{word}" if each.key else word for word in words]
    return found


def joined(sets: Sequence[WeightSet], key: str = "") -> WeightSet | None:
    """Several sets as one: parts of a network in dictionaries of their own, such as `backbone` and `head`."""
    if len(sets) < 2:
        return replace(sets[0], key=key) if sets else None
    skipped = len(f"{key}.") if key else 0
    return WeightSet(
        key,
        {f"{each.key[skipped:]}.{name}": tensor for each in sets for name, tensor in each.tensors.items() if each.key},
    )
