"""Layers as other libraries write them: what to write instead in a spec.

`Conv2D`, `nn.Linear(512, 10)`, `conv 8`, `conv: [8, 3, same]`, `out_channels`, `stride`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from archspec.declare import Argument, arguments, thaw
from archspec.lang.document.nodes import TooLargeError, resolve
from archspec.lang.schema.channel_order import may_be_channels_first
from archspec.lang.schema.foreign_names import ARGUMENTS, ELSEWHERE, KEYS, NEEDLESS, OF_OPERATOR, OPERATORS, RECIPES
from archspec.lang.schema.messages import LEAST_SIDE
from archspec.lang.schema.structures import MODIFIERS
from archspec.lang.schema.validator import mistakes
from archspec.ops import OPS, is_merge
from archspec.plugins import CACHES

TORCH_INPUTS = re.compile(r"(?:.*\.)?(?:Conv(?:Transpose)?[123]d|Linear|(?P<norm>(?:Batch|Layer)Norm(?:[123]d)?))\Z")
"""Layers of PyTorch whose first argument is the number of input channels, which a spec does not give."""
CALL = re.compile(r"(?P<name>[A-Za-z_][\w.]*)\s*(?:\((?P<inside>.*)\)?|[\s=,](?P<rest>.*))\Z", re.DOTALL)
SHAPED = re.compile(r"(?P<name>[A-Za-z_]+?)_?(?P<side>\d+)(?:x(?P<other>\d+))?\Z")
MAX_WORDS, MAX_LENGTH = 12, 300


def operator(name: str) -> str | None:
    """Our name of an operator that another library, or another spelling, calls so."""
    return _operators().get(_plain(name))


def unknown_operator(text: str, value: Any, blocks: Mapping[str, Sequence[str]]) -> str | None:
    """The remedy for a layer whose operator does not exist; `value` is what follows its colon.

    `blocks` are those of the spec, with the names of their arguments.
    """
    known = text in ELSEWHERE or _plain(text) in ELSEWHERE
    if known:
        activation = operator(value) if _plain(text) == "activation" and isinstance(value, str) else None
        return f"write `- {activation}`" if activation else ELSEWHERE[_plain(text)]
    found = operator(text)
    if found:
        return _write(found, _listed(value), text)
    call = CALL.match(text)
    name = call["name"] if call else ""
    if call and (name in blocks or operator(name)):
        words = _words(call["inside"] if call["inside"] is not None else call["rest"])
        if name in blocks:
            return f"write `{_shown(name, dict(zip(blocks[name], words, strict=False)), blocks[name][:1])}`"
        return _write(operator(name) or "", words, name)
    shaped = SHAPED.match(text)
    if shaped and operator(shaped["name"]) == "conv":
        sides = [int(each) for each in (shaped["side"], shaped["other"] or shaped["side"])]
        return f"{_write('conv', [*_listed(value), sides], text)}, or define a block `{text}`"
    return None


def written(head: str, value: Any) -> str | None:
    """The layer that is meant by an operator with a value that cannot be its arguments; None if that is unclear."""
    if isinstance(value, bool):
        return None if _required(head) else f"write `{head}` without a value"
    given, after = _fitted(head, value)
    if not given and not after:
        return None
    return f"write `{_shown(head, given or {}, _required(head))}`" + _and_after(after)


def misplaced(head: str, value: str) -> str | None:
    """The remedy for a word among the values of the first argument that another one accepts: `maxpool: [2, same]`."""
    first, *others = arguments(OPS[head])
    other = next((each.name for each in others if _accepts(each, value)), None)
    return f"write `{head}: {{{first.name}: ..., {other}: {value}}}`" if other else None


def typed(heads: Mapping[str, Any]) -> str | None:
    """The remedy for a layer such as `{type: conv, filters: 8}`."""
    for word in ("type", "op", "operator", "layer", "kind", "class_name"):
        head = operator(heads[word]) if isinstance(heads.get(word), str) else None
        if head:
            rest = {name: value for name, value in heads.items() if name != word}
            return _write(head, [rest] if rest else [], "")
    return None


def recipe_name(name: str, known: Iterable[str]) -> str | None:
    """Our name of an optimizer, a loss, a schedule, a transform or a protocol that another library calls so."""
    plain = {_plain(each): each for each in known}
    others = {word: each for each in plain.values() for word in RECIPES.get(each, ())}
    return (others | plain).get(_plain(name))


def section_key(name: str, section: str) -> str | None:
    """The remedy for a key that a section of a spec does not have."""
    help = KEYS.get(section, {}).get(_plain(name))
    return help.replace("{key}", name) if help else None


def argument(name: str, known: Iterable[str]) -> str | None:
    """Our name of an argument that another library calls so."""
    names = list(known)
    return next((each for each in ARGUMENTS.get(_plain(name), ()) if each in names), None)


def unknown_argument(head: str, name: str, known: Sequence[str], value: Any = None) -> str | None:
    """The remedy for an argument that an operator or block does not have."""
    if name in MODIFIERS:
        shown = _flow(value) if isinstance(value, (str, int, list)) else "..."
        return f"write `{name}` beside `{head}`, not inside it: `{{{name}: {shown}, {head}: ...}}`"
    if re.fullmatch(r"\d+\)", name):
        return "write the list in square brackets, not in parentheses"
    before, equals, after = (part.strip() for part in name.partition("="))
    if equals:
        return f"write `{argument(before, known) or before}: {after or '...'}`"
    if _plain(name) == "activation" and head in OPS:
        activation = operator(value) if isinstance(value, str) else None
        return f"write the activation as the next layer{f': `- {activation}`' if activation else ', such as `- relu`'}"
    other = OF_OPERATOR.get(head, {}).get(_plain(name))
    if other:
        return other
    ours = argument(name, known)
    if ours:
        return f"did you mean `{ours}`?"
    if known and not isinstance(_value(name), str):
        return f"write the name of each argument: `{head}: {{{known[0]}: {name}}}`"
    return NEEDLESS.get(_plain(name)) if head in OPS else None


def input_meant(sizes: Any) -> list[int]:
    """The shape that is meant by `224`, `224x224x3`, `3,224,224` or a list of texts; empty if that is unclear."""
    texts = [sizes] if isinstance(sizes, (int, str)) and not isinstance(sizes, bool) else sizes
    joined = ",".join(map(str, texts)) if isinstance(texts, (list, tuple)) else ""
    if not re.fullmatch(r"[(\s]*\d{1,5}(\s*[x,*\s]\s*\d{1,5}){0,2}[)\s]*", joined):
        return []
    found = [int(each) for each in re.findall(r"\d+", joined)]
    if len(found) == 1:
        return [*found * 2, 3] if found[0] >= LEAST_SIDE else []
    found = [*found, 3] if len(found) == 2 and found[0] == found[1] else found
    if 0 in found:
        return []
    return [*found[1:], found[0]] if may_be_channels_first(found) else found


def channels_first_meant(sizes: Any, meant: list[int]) -> bool:
    """Whether `input_meant` has moved the channels of `sizes` to the end."""
    given = [int(each) for each in re.findall(r"\d+", str(sizes))]
    return len(meant) == 3 and given != meant and given == [meant[2], *meant[:2]]


# ---- the written form ----------------------------------------------------------------------------------------------


def _write(head: str, values: list[Any], name: str) -> str:
    """The remedy for an operator of ours that is called by another name."""
    if is_merge(head):
        return f"write `{head}: {{left: [...], right: [...]}}`, or `{{{head}: ~, from: [a, b]}}` for earlier layers"
    torch = TORCH_INPUTS.match(name)
    placed = [i for i, each in enumerate(values) if not isinstance(each, dict)]
    if torch and placed and (torch["norm"] or len(placed) > 1):
        del values[placed[0]]
    given, after = _fitted(head, values)
    return f"write `{_shown(head, given or {}, _required(head))}`" + _and_after(after)


def _fitted(head: str, value: Any) -> tuple[dict[str, Any] | None, list[str]]:
    """The arguments that the values are, by their order and what each argument accepts, and activations among them.

    None if a value fits nowhere.
    """
    declared = arguments(OPS[head])
    names = [each.name for each in declared]
    given: dict[str, Any] = {}
    after: list[str] = []
    rest = []
    for each in _listed(value):
        for name, inner in each.items() if isinstance(each, dict) else ():
            ours = name if name in names else argument(name, names)
            if ours and not isinstance(inner, dict):
                given[ours] = inner
            elif name == "activation" and operator(str(inner)):
                after.append(operator(str(inner)) or "")
        if not isinstance(each, (dict, bool)) and each is not None and each not in names:
            rest.append(each)
    for each in rest:
        free = [a for a in declared if a.name not in given]
        if isinstance(each, float) and free and free[0].required:
            free = free[:1]  # 1.5 filters are a mistake, not another argument
        place = next((a.name for a in free if _accepts(a, each)), None)
        if place:
            square = isinstance(each, list) and each[:1] * len(each) == each
            schema = next(a.schema for a in declared if a.name == place)
            given[place] = each[0] if square and not mistakes(each[0], schema) else each
        elif isinstance(each, str) and operator(each):
            after.append(operator(each) or "")
        else:
            return None, []
    return {name: given[name] for name in names if name in given}, after


def _accepts(declared: Argument, value: Any) -> bool:
    return not mistakes(thaw(value), declared.schema)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        return _words(value)
    return value[:MAX_WORDS] if isinstance(value, list) else [] if value is None else [value]


def _words(text: str) -> list[Any]:
    """`3, 64, kernel_size=3` -> [3, 64, {"kernel_size": 3}]; `3x3` -> [3, 3]; `50%` -> 0.5."""
    text = text[:MAX_LENGTH].strip()
    if not re.fullmatch(r"\([^()]*\)", text):
        text = re.sub(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)", r"\1x\2", text)
    found = re.findall(r"(?:(\w+)\s*=\s*)?([^\s,()\[\]=]+)", text)[:MAX_WORDS]
    return [{name: _value(word)} if name else _value(word) for name, word in found]


def _value(word: str) -> Any:
    sides = re.fullmatch(r"(\d{1,4})x(\d{1,4})", word)
    percent = re.fullmatch(r"(\d{1,3})%", word)
    if sides:
        return [int(sides[1]), int(sides[2])]
    if percent:
        return int(percent[1]) / 100
    try:
        return resolve(word.strip("\"'"))
    except TooLargeError:
        return word


def _required(head: str) -> list[str]:
    return [each.name for each in arguments(OPS[head]) if each.required]


def _shown(head: str, given: Mapping[str, Any], required: Sequence[str]) -> str:
    """`conv: 8`, `conv: {filters: 8, kernel_size: 3}`, `relu`, `conv: {filters: ...}`."""
    missing = [name for name in required if name not in given]
    if not given and not missing:
        return head
    first = [each.name for each in arguments(OPS[head])][:1] if head in OPS else list(required)
    if not missing and list(given) == first:
        return f"{head}: {_flow(given[first[0]])}"
    each = [f"{name}: {_flow(value)}" for name, value in given.items()] + [f"{name}: ..." for name in missing]
    return f"{head}: {{{', '.join(each)}}}"


def _and_after(activations: list[str]) -> str:
    return "".join(f", and `- {name}` as the next layer" for name in activations)


def _flow(value: Any) -> str:
    """A value in YAML's flow form."""
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value[:MAX_WORDS]))}]"
    if isinstance(value, dict):
        return "..."
    text = {None: "~", True: "true", False: "false"}.get(value) if value is None or isinstance(value, bool) else None
    return text or str(value)[:60]


# ---- names ---------------------------------------------------------------------------------------------------------


def _plain(name: str) -> str:
    """`nn.BatchNorm2d`, `batch_norm` -> `batchnorm`; `Conv2DTranspose` -> `convtranspose`."""
    word = re.sub(r"[_\-\s]", "", name.strip()[:60].rpartition(".")[2].lower())
    return re.sub(r"[123]d(?=transpose\Z|\Z)", "", word)


@cache
def _operators() -> dict[str, str]:
    of_keras = {_plain(layer): name for name in reversed(list(OPS)) for layer in OPS[name].keras_layers}
    return (
        of_keras
        | {_plain(name): name for name in OPS}
        | {each: name for name, all in OPERATORS.items() for each in all}
    )


CACHES.append(_operators.cache_clear)
