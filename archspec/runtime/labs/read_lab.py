"""Read a lab file: its text -> a checked `Lab`, with errors that point at the line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError, Diagnostic, Source, Span, did_you_mean, fail, listed, merged
from archspec.graph.compile.compiler import compile_spec
from archspec.graph.rewrite.net2deeper import deepen
from archspec.lang.declarations import read_section
from archspec.lang.document.nodes import MappingNode, Node, ScalarNode, find, plain
from archspec.lang.document.yaml_parser import parse_document, read_text
from archspec.lang.document.yaml_writer import dump
from archspec.lang.schema.validate import explain, validate_section
from archspec.lang.schema.validator import mistakes
from archspec.lang.spec import overrides
from archspec.lang.spec.spec import Spec, parse_node
from archspec.runtime.labs.lab import Lab, section

KEYS = "a lab is a mapping with the keys `name`, `claim`, `source`, `data` and `arms`: see docs/labs.md"


def lab_names() -> list[str]:
    """The labs that come with archspec."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def lab_source(name: str) -> Source:
    """The text of a lab: a name of `lab_names()`, or the path of a file.

    Raises:
        ArchspecError: `unknown-lab`, `page-not-found`, `page-too-large`, `not-text`.
    """
    if name in lab_names():
        return Source(f"labs/{name}.yaml", (_folder() / f"{name}.yaml").read_text(encoding="utf-8"))
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return read_text(name, "lab")
    near = did_you_mean(name, lab_names())
    notes = [] if near else [f"archspec comes with {listed(lab_names())}"]
    raise fail(
        "unknown-lab",
        f"there is no lab `{name}`",
        notes=notes,
        help=near or "give the path of your own: `./my-lab.yaml`",
    )


@cache
def _folder() -> Path:
    return Path(import_module("archspec.labs").__path__[0])


def read_lab(source: Source) -> Lab:
    """A checked lab. Raises ArchspecError with all errors of its keys, or else all errors of its networks."""
    document = parse_document(source, "lab", KEYS)
    schema = section(Lab, "a lab")
    found = [_of_a_lab(each) for wrong in mistakes(plain(document), schema) for each in explain(wrong, document)]
    if found:
        raise ArchspecError(*merged(found))
    lab = read_section(Lab, plain(document))
    found = [*_contradictions(lab, document), *_of_the_recipe(document)]
    for name, (key, node) in _entries(document, "networks").items():
        with collected(found, key.span):
            _ = network_spec(name, node)
    if found:
        raise ArchspecError(*merged(found))
    return lab


def check_arms(lab: Lab, source: Source, load: Callable[..., Any]) -> None:
    """Compile the network of each arm with its settings, at every scale.

    Raises ArchspecError with all errors, at their lines.

    load: as `archspec.load`, for networks that are not in the lab.
    """
    document, found = parse_document(source, "lab", KEYS), list[Diagnostic]()
    own = {name: network_spec(name, node) for name, (_, node) in _entries(document, "networks").items()}
    scales = {"": document.span, **{name: key.span for name, (key, _) in _entries(document, "scales").items()}}
    for name, (key, _) in _entries(document, "arms").items():
        arm = lab.arms[name]
        for scale, span in scales.items():
            given = {**lab.set, **arm.set, **{word: values[0] for word, values in arm.grid.items()}}
            settings = {**given, **lab.scaled(scale).set}
            with collected(found, span if scale else key.span):
                if arm.network in own:
                    params, of_sections = overrides.split(settings)
                    spec = own[arm.network]
                    graph = compile_spec(spec, spec.default, params)
                    recipe = train_section(document) or spec.document
                    overrides.section(recipe, "train", of_sections, {**spec.params, **params})
                else:
                    network = load(reference(arm.network, source), **settings)
                    graph, _ = network.graph(), network.recipe
                for test, (place, _) in _entries(document, "tests").items():
                    with collected(found, place.span):
                        if lab.tests[test].identity_layers:
                            deepen(graph, lab.tests[test].identity_layers)
    if found:
        raise ArchspecError(*merged(dict.fromkeys(found)))


def reference(network: str, source: Source) -> str:
    """The reference of a network that is not in the lab; a relative path starts at the folder of the lab."""
    path = Path(source.name).parent / network
    return str(path) if network.partition(":")[0].endswith((".yaml", ".yml")) else network


def network_spec(name: str, node: Node) -> Spec:
    """The spec of a network inside a lab. Raises ArchspecError: the errors of a spec, at the lines of the lab."""
    assert isinstance(node, MappingNode)  # checked by the schema
    entries = dict(node.entries)
    entries.setdefault("name", (ScalarNode("name", "name", node.span), ScalarNode(name, name, node.span)))
    return parse_node(MappingNode(entries, node.span))


def network_texts(source: Source) -> dict[str, str]:
    """The networks of a lab as the texts of specs, each with the recipe of the lab if it has one."""
    document = parse_document(source, "lab", KEYS)
    recipe = document.get("train")
    texts = {}
    for name, (_, node) in _entries(document, "networks").items():
        spec = {"name": name, **plain(node)}
        texts[name] = dump(spec | ({"train": plain(recipe)} if recipe else {}))
    return texts


def train_section(document: MappingNode) -> MappingNode | None:
    """The document with the recipe of the lab under `train`, if there is one."""
    return MappingNode({"train": document.entries["train"]}, document.span) if document.get("train") else None


def _of_the_recipe(document: MappingNode) -> list[Diagnostic]:
    node = document.get("train")
    return validate_section(plain(node), "train", document) if node else []


def _entries(document: MappingNode, key: str) -> dict[str, tuple[ScalarNode, Node]]:
    node = document.get(key)
    return node.entries if isinstance(node, MappingNode) else {}


def _of_a_lab(diagnostic: Diagnostic) -> Diagnostic:
    """The error of a spec in the words of a lab."""
    words = {"this spec has": "this lab has", "a spec has no key": "a lab has no key", "the spec must": "the lab must"}
    message = diagnostic.message
    for word, other in words.items():
        message = message.replace(word, other)
    help = diagnostic.help if message == diagnostic.message else _help(diagnostic)
    return replace(diagnostic, message=message, help=help)


def _help(diagnostic: Diagnostic) -> str | None:
    examples = {
        "claim": "add a line such as `claim: A CNN beats an MLP`",
        "source": "add a line such as `source: LeCun et al. 1998, section II`",
        "name": "add a first line such as `name: my-lab`",
        "data": "add a line such as `data: digits`",
        "seconds": "add a line such as `seconds: 60`",
    }
    if diagnostic.code == "missing-key":
        return next((text for key, text in examples.items() if f"no `{key}`" in diagnostic.message), None)
    return diagnostic.help


@contextmanager
def collected(found: list[Diagnostic], span: Span) -> Iterator[None]:
    """Collect errors instead of raising them; those without a place get `span`."""
    try:
        yield
    except ArchspecError as error:
        found += [each if each.span else replace(each, span=span) for each in error.diagnostics]


def _contradictions(lab: Lab, document: MappingNode) -> Iterator[Diagnostic]:
    """Names that lead nowhere, and keys that exclude each other."""

    def at(*path: str | int) -> Span | None:
        nodes, key = find(document, path)
        return nodes[-1].span if isinstance(nodes[-1], ScalarNode) else key.span if key else nodes[-1].span

    def unknown(kind: str, name: str, known: Mapping[str, Any], *path: str | int) -> Diagnostic:
        help = did_you_mean(name, known) or f"the {kind}s are: {listed(known)}"
        return Diagnostic("lab", f"there is no {kind} `{name}`", at(*path), help=help)

    if bool(lab.arms) == bool(lab.code):
        fact = "a lab has `arms` or `code`, not both" if lab.arms else "this lab has neither `arms` nor `code`"
        yield Diagnostic("lab", fact, at("code" if lab.arms else "name"), help="remove one" if lab.arms else KEYS)
        return
    if lab.arms and not lab.compare:
        fact, help = "this lab compares nothing", "add `compare:` with a list such as `- {first: A, second: B}`"
        yield Diagnostic("lab", fact, at("arms"), help=help)
    if lab.code and lab.code not in experiments():
        yield unknown("experiment", lab.code, dict.fromkeys(experiments()), "code")
    if lab.code and not lab.criterion:
        help = "say in one sentence how the verdict is computed"
        yield Diagnostic("lab", "a lab with `code` needs a `criterion`", at("code"), help=help)
    for name, arm in lab.arms.items():
        if arm.init_from is not None and arm.init_from not in list(lab.arms)[: list(lab.arms).index(name)]:
            fact = f"`{name}` starts from `{arm.init_from}`, which is no arm before it"
            yield Diagnostic("lab", fact, at("arms", name, "init_from"), help="move that arm up, or correct its name")
    for number, each in enumerate(lab.compare):
        for word, given, known, kind in (
            ("first", each.first, lab.arms, "arm"),
            ("second", each.second, lab.arms, "arm"),
            ("test", each.test, lab.tests, "test condition"),
            ("beyond", each.beyond, lab.tests, "test condition"),
        ):
            if given and given not in known:
                yield unknown(kind, given, known, "compare", number, word)
        if not each.second and not each.beyond:
            help = "name the other arm as `second`, or another test condition as `beyond`"
            yield Diagnostic("lab", "this comparison has one side only", at("compare", number), help=help)
    for name, condition in lab.tests.items():
        if condition.protocol is not None:
            with_places: list[Diagnostic] = []
            with collected(with_places, at("tests", name, "protocol") or document.span):
                overrides.parse_protocols([protocol_text(condition.protocol)])
            yield from with_places


def protocol_text(protocol: Any) -> str:
    """A protocol as `archspec evaluate --protocol` takes it."""
    from archspec.lang.document.yaml_writer import flow

    return protocol if isinstance(protocol, str) else flow(protocol)


@cache
def experiments() -> list[str]:
    """The modules of `archspec.runtime.labs.experiments`."""
    folder = Path(import_module("archspec.runtime.labs.experiments").__path__[0])
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
