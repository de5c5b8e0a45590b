"""Layers and weights selected by path patterns: for `init`, `freeze`, `rate_multipliers` and `--init-map`.

`*` matches any characters within a path component, `?` one character, `[45]` one of these, `**` any components:
`conv1/**` matches `conv1` and all layers inside it, `**/bn` every layer whose last component is `bn`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from archspec.diagnostics import ArchspecError, Span, did_you_mean, fail, listed
from archspec.graph.ir import Graph, Node
from archspec.ops import OPS

if TYPE_CHECKING:
    from archspec.lang.recipes.initializers import Initializer, Rule
    from archspec.lang.recipes.recipe import Recipe

# ---- patterns ------------------------------------------------------------------------------------------------------

MAX_LENGTH = 200
MAX_WILDCARDS = 8
TOKENS = re.compile(r"/\*\*$|\*\*/|\*\*|\*|\?|\[[^\]/]+\]|.", re.DOTALL)
PARTS = {"/**": "(/.*)?", "**/": "(.*/)?", "**": "(.*)", "*": "([^/]*)", "?": "([^/])"}


@lru_cache(maxsize=1024)
def regular(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression with a group for each wildcard. Raises ArchspecError (bad-pattern)."""
    tokens = TOKENS.findall(pattern)
    wild = sum(map(_wild, tokens))
    if not pattern or len(pattern) > MAX_LENGTH or wild > MAX_WILDCARDS:
        fact = "is empty" if not pattern else f"has more than {MAX_WILDCARDS} wildcards or {MAX_LENGTH} letters"
        raise fail("bad-pattern", f"the pattern `{pattern[:MAX_LENGTH]}` {fact}", help="for example, `conv1/**`")
    try:
        return re.compile("".join(map(_part, tokens)) + r"\Z")
    except re.error as error:
        message = f"the pattern `{pattern}` has an invalid character class: {error.msg}"
        raise fail("bad-pattern", message, help="for example, `conv[245]`") from None


def _wild(token: str) -> bool:
    return token in PARTS or (token[0] == "[" and len(token) > 1)


def _part(token: str) -> str:
    if token in PARTS:
        return PARTS[token]
    if _wild(token):
        inside = token[1:-1]
        negated = "^" if inside[:1] == "!" and inside[1:] else ""
        letters = re.sub(r"([\\^\]])", r"\\\1", inside[len(negated) :])
        return f"([{negated}{letters}])"
    return re.escape(token)


def matches(pattern: str, path: str) -> bool:
    """Whether a path matches the pattern."""
    return regular(pattern).match(path) is not None


def partner(path: str, pattern: str, other: str) -> str | None:
    """The path that `other` gives for a path of `pattern`: its wildcards are replaced by the matches of `pattern`.

    None if the path does not match. Raises ArchspecError (bad-pattern) if the wildcards of the two differ.
    """
    found = regular(pattern).match(path)
    if found is None:
        return None
    words = [each or "" for each in found.groups()]
    tokens = TOKENS.findall(other)
    wild = [i for i, token in enumerate(tokens) if _wild(token)]
    if len(wild) > len(words):
        fact = f"`{other}` has more wildcards than `{pattern}`, whose matches fill them"
        raise fail("bad-pattern", fact, help="for example, `stage1/**=conv1/**`")
    for i, word in zip(wild, words, strict=False):
        tokens[i] = word
    return "".join(tokens)


def unmatched(pattern: str, paths: Iterable[str], span: Span | None = None) -> ArchspecError:
    """The error for a pattern that matches no path."""
    known = list(paths)
    inside = f"{pattern.rstrip('/')}/**"
    if any(matches(inside, path) for path in known):
        near: str | None = f"a pattern matches whole paths; write `{inside}` for the layers inside"
    else:
        near = did_you_mean(pattern, known) or did_you_mean(pattern.rstrip("*").rstrip("/"), known)
    notes = [f"the layers with weights are: {listed(known, 12)}"]
    return fail("unmatched-pattern", f"no layer with weights matches `{pattern}`", span, notes=notes, help=near)


# ---- recipes -------------------------------------------------------------------------------------------------------

Where = Callable[..., Span | None]
"""From the keys of a path within `train:` to its place in a spec."""

Place = tuple[str, int]
"""The path of a layer, and the position of one of its weights."""


def initializers(graph: Graph, rules: Sequence[Rule], where: Where = lambda *path: None) -> dict[Place, Initializer]:
    """The initializer of every weight that a rule selects; the last rule wins.

    Raises ArchspecError: `unmatched-pattern` for a pattern that matches no layer (an operator that the network does not
    use is not an error: another variant may use it), `unmatched-weight` where no layer of a rule has such a weight.
    """
    layers = [node for node in graph.layers if node.facts.weights]
    found: dict[Place, Initializer] = {}
    for rule in rules:
        meant = [node for node in layers if _means(rule.layers, node)]
        if not meant and not OPS.get(rule.layers):
            raise unmatched(rule.layers, [node.path for node in layers], where("init", rule.layers))
        places = [(node.path, i) for node in meant for i in _weights(node, rule.weight)]
        if meant and not places:
            names = dict.fromkeys(weight.name for node in meant for weight in node.facts.weights)
            message = f"the layers that match `{rule.layers}` have no weight `{rule.weight or 'kernel'}`"
            raise fail(
                "unmatched-weight", message, where("init", rule.layers), help=f"their weights are: {listed(names)}"
            )
        found.update(dict.fromkeys(places, rule.initializer))
    return found


def _means(layers: str, node: Node) -> bool:
    return node.op.name == layers if layers in OPS else matches(layers, node.path)


def _weights(node: Node, name: str | None) -> list[int]:
    """The positions of the weights of that name, in any layer of the operator; without a name, of the kernels."""
    return [
        i
        for i, weight in enumerate(node.facts.weights)
        if (weight.is_kernel if name is None else name in (weight.name, weight.name.rpartition("/")[2]))
    ]


def check_recipe(graph: Graph, recipe: Recipe, where: Where) -> None:
    """Raises ArchspecError: those of `initializers` and `frozen`."""
    initializers(graph, recipe.init, where)
    frozen(graph, recipe.freeze, where)
    multipliers(graph, recipe.rate_multipliers or {}, where)


def frozen(graph: Graph, patterns: Iterable[str], where: Where = lambda *path: None) -> set[str]:
    """The paths of the layers with weights that match a pattern.

    Raises ArchspecError: `unmatched-pattern`; `nothing-to-train` if no trainable layer is left.
    """
    found = {path for pattern in patterns for path in _fitting(graph, pattern, where("freeze"))}
    if found and not any(node.facts.trainable_params for node in graph.layers if node.path not in found):
        message = f"every layer of `{graph.name}` is frozen, so nothing is left to train"
        raise fail("nothing-to-train", message, where("freeze"), help="do not freeze the classifier")
    return found


def multipliers(graph: Graph, factors: Mapping[str, float], where: Where = lambda *path: None) -> dict[str, float]:
    """Path -> factor of the learning rate of each layer that matches a pattern; the last pattern wins.

    Raises ArchspecError (unmatched-pattern).
    """
    found: dict[str, float] = {}
    for pattern, factor in factors.items():
        fitting = _fitting(graph, pattern, where("rate_multipliers", pattern))
        found.update(dict.fromkeys(fitting, factor))
    return found


def _fitting(graph: Graph, pattern: str, span: Span | None) -> list[str]:
    paths = [node.path for node in graph.layers if node.facts.weights]
    fitting = [path for path in paths if matches(pattern, path)]
    if not fitting:
        raise unmatched(pattern, paths, span)
    return fitting


# ---- from the layers of a trained network to those of a network that is initialized from it -------------------------

Pairs = list[tuple[str, str]]
"""(path of a layer, path of the layer whose weights it takes)."""


def vgg_a_to_deeper(source: Graph, target: Graph) -> Pairs:
    """The first four convolutions and the last three dense layers of net A (Simonyan & Zisserman 2014, section 3.1).

    A convolution starts from the one at the same position: after the same number of poolings, the first or second. The
    others keep their initial weights. Raises ArchspecError (init-map) where a layer has no counterpart.
    """
    here, there = (_places(graph) for graph in (target, source))
    pairs = []
    for place in list(there)[:4]:
        if place not in here:
            stage, index = place
            which = f"convolution {index + 1} after {stage} poolings"
            fact = f"`{target.name}` has no counterpart of `{there[place]}`: no {which}"
            raise fail("init-map", fact, help="map the layers with patterns: `--init-map TARGET=SOURCE`")
        pairs.append((here[place], there[place]))
    dense = [[node.path for node in graph.layers if node.op.name == "dense"] for graph in (target, source)]
    if min(map(len, dense)) < 3:
        counts = f"the network has {len(dense[0])}, the source {len(dense[1])}"
        fact = f"`vgg-a-to-deeper` needs three dense layers in both networks; {counts}"
        raise fail("init-map", fact, help="map the layers with patterns: `--init-map TARGET=SOURCE`")
    return pairs + list(zip(dense[0][-3:], dense[1][-3:], strict=True))


def _places(graph: Graph) -> dict[tuple[int, int], str]:
    """The convolutions of a chain by (poolings before it, convolutions since the last of them)."""
    found: dict[tuple[int, int], str] = {}
    stage = index = 0
    for node in graph.layers:
        if node.op.name in ("maxpool", "avgpool"):
            stage, index = stage + 1, 0
        elif node.op.name == "conv":
            found[stage, index] = node.path
            index += 1
    return found


INIT_MAPS: Mapping[str, Callable[[Graph, Graph], Pairs]] = {"vgg-a-to-deeper": vgg_a_to_deeper}
"""Every map under its name; it needs the graphs of both networks."""
