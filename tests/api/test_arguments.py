"""Every public function refuses wrong arguments with one `ArchspecError` that names the argument in Python's words.

The calls are made from the signatures, so that a new function or argument is tested too.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.arguments import PositiveInt, StrPath, public
from archspec.diagnostics import ArchspecError

PLAIN: Mapping[str, Any] = {
    "reference": "lenet:5",
    "network": "lenet:5",
    "left": "lenet:5",
    "right": "lenet:full",
    "spec": "lenet",
    "lab": "no-such.yaml",
    "source": "lenet:5",
    "data": "no-such.npz",
    "model": "no-such.keras",
    "models": ["no-such.keras"],
    "run": "no-such-run",
    "out": "no/such/folder/out.png",
    "predictions": [],
    "after": ["relu"],
    "directory": "evaluation",
    "path": "no/such/folder/out.svg",
}
"""Valid values of the arguments without a default. What they name does not exist where it would cost time."""
WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    float("nan"),
    "",
    "no such \N{SNOWMAN}",
    "a\0b",
    b"lenet:5",
    [],
    [None],
    {},
    {"a": 1},
    Path("no-such"),
    np.float32(2.5),
    lambda *given: None,
    object(),
)


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in sorted(archspec.__all__):
        each = getattr(archspec, name)
        if inspect.isfunction(each) and inspect.signature(each).parameters:
            yield f"archspec.{name}", each


METHODS = {
    "Network.build": lambda: archspec.load("lenet:5").build,
    "Network.save": lambda: archspec.load("lenet:5").save,
    "Network.warnings": lambda: archspec.load("lenet:5").warnings,
    "Summary.render": lambda: archspec.summarize("lenet:5").render,
    "Plan.render": lambda: archspec.plan("lenet:5").render,
    "Difference.render": lambda: archspec.diff("lenet:5", "lenet:full").render,
    "Manifest.render": lambda: archspec.check_data("digits").render,
    "FullyConvolutional.write": lambda: archspec.convolutionalize_spec("lenet:5").write,
    "Comparison.render": lambda: object.__new__(archspec.Comparison).render,
    "Comparison.save": lambda: object.__new__(archspec.Comparison).save,
    "RunReport.save": lambda: object.__new__(archspec.RunReport).save,
    "Drawing.save": lambda: archspec.draw("lenet:5").save,
    "Explanation.render": lambda: object.__new__(archspec.Explanation).render,
    "Explanation.write": lambda: object.__new__(archspec.Explanation).write,
    "Evaluations.render": lambda: archspec.Evaluations().render,
    "Evaluations.write": lambda: archspec.Evaluations().write,
}
NEVER_RUN = {
    "build",
    "Comparison.render",
    "Comparison.save",
    "Explanation.render",
    "Explanation.write",
    "Network.build",
    "Network.save",
    "RunReport.save",
}
"""Valid arguments of these, and of functions of a keras.Model, take long: only an object is tried."""
MODEL = type("Model", (), {"__module__": "keras"})()


def plain(function: Callable[..., Any]) -> dict[str, Any]:
    needed = [name for name, each in inspect.signature(function).parameters.items() if each.default is each.empty]
    found = {name: PLAIN[name] for name in needed if name in PLAIN}
    return {**found, "model": MODEL} if takes_model(function) else found


def takes_model(function: Callable[..., Any]) -> bool:
    return function.__annotations__.get("model") == "keras.Model"


def call(function: Callable[..., Any], given: Mapping[str, Any]) -> ArchspecError | None:
    parameters = inspect.signature(function).parameters
    positional = [name for name, each in parameters.items() if each.kind is each.POSITIONAL_ONLY]
    named = {name: value for name, value in given.items() if name not in positional}
    try:
        found = function(*(given[name] for name in positional), **named)
        if inspect.isgenerator(found):
            next(found)
    except ArchspecError as error:
        return error
    return None


def arguments(function: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [name for name, each in inspect.signature(function).parameters.items() if each.kind not in kinds]


def check_wrong_arguments(name: str, function: Callable[..., Any]) -> None:
    for argument in arguments(function):
        never = call(function, {**plain(function), argument: object()})
        assert never is not None, f"{name}({argument}=object()) is accepted"
        assert (never.diagnostics[0].code, f"`{argument}`" in never.diagnostics[0].message) == ("bad-argument", True)
        for value in () if name in NEVER_RUN or takes_model(function) else WRONG:
            error = call(function, {**plain(function), argument: value})
            assert error is None or not re.search("`--|`-o", str(error)), str(error)


@pytest.mark.parametrize(("name", "function"), list(functions()), ids=[name for name, _ in functions()])
def test_functions_refuse_wrong_arguments(
    name: str, function: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_wrong_arguments(name.removeprefix("archspec."), function)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", METHODS)
def test_methods_refuse_wrong_arguments(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_wrong_arguments(name, METHODS[name]())


def test_every_public_method_is_in_the_table() -> None:
    classes = [getattr(archspec, name) for name in archspec.__all__ if inspect.isclass(getattr(archspec, name))]
    found = {
        f"{each.__name__}.{name}"
        for each in classes
        for name, method in vars(each).items()
        if inspect.isfunction(method) and hasattr(method, "__wrapped__") and not name.startswith("__")
    }
    assert found == set(METHODS)


def test_settings_of_a_wrong_kind_are_errors() -> None:
    for value in (object(), {}, {"a": 1}, Path("a"), b"a", float("nan"), lambda: None, [[object()]]):
        for name in ("classes", "input", "train.epochs", "train.optimizer", "nonsense"):
            with pytest.raises(ArchspecError):
                archspec.load("lenet:5", **{name: value}).recipe  # type: ignore[arg-type]  # noqa: B018


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            lambda: archspec.plan("lenet:5", memory="80GB"),
            "must be a positive number or None, but is `'80GB'`",
        ),  # type: ignore[arg-type]
        (lambda: archspec.plan("lenet:5", batch_size=0), "`batch_size` must be a positive integer or None, but is `0`"),
        (lambda: archspec.plan("lenet:5", device="h10"), "did you mean `h100`?"),
        (lambda: archspec.summarize("lenet:5").render("xml"), "`format` must be `text`, `json`, `markdown` or `csv`"),  # type: ignore[arg-type]
        (lambda: archspec.preview_data("lenet:5", "digits", "a.png", columns=1), "an integer from 2 to 50, but is `1`"),
        (lambda: archspec.evaluate(["a", "b"], "digits"), "`archspec.evaluate_all` evaluates several models"),  # type: ignore[arg-type]
        (lambda: archspec.convolutionalize("n.keras"), "`archspec.convolutionalize_spec` converts files"),  # type: ignore[arg-type]
        (lambda: archspec.convolutionalize_spec("lenet:5", output="score"), "did you mean `scores`?"),  # type: ignore[arg-type]
        (lambda: archspec.evaluate_all([], "digits"), "give at least one model"),
        (lambda: archspec.train("lenet:5", "digits", seed=-1), "`seed` must be an integer from 0 to 4,294,967,295"),
        (lambda: archspec.draw("lenet:5", 3), "`references` must be a Network or a path, but is `3`"),  # type: ignore[arg-type]
        (lambda: archspec.load(Path("no/net.yaml")), "no/net.yaml"),
        (lambda: archspec.predict("a", np.zeros((8, 8))), "must be a list of paths or a path, but is an array"),  # type: ignore[arg-type]
        (
            lambda: archspec.compare("lenet:5", batch_sizes=[0]),
            "`batch_sizes` must be a list of positive integers, but is `[0]`",
        ),
        (
            lambda: archspec.serve("a", labels={"new": "b"}),  # type: ignore[dict-item]
            "`labels` must be a dictionary from strings to integers or None, but is a dictionary",
        ),
        (
            lambda: archspec.diff("lenet:5", "lenet:5").render(context=-1),
            "`context` must be an integer of 0 or more, but is `-1`",
        ),
        (
            lambda: archspec.export("a", "b", input_size="big"),  # type: ignore[arg-type]
            "`input_size` must be a positive integer, `free` or None, but is `'big'`",
        ),
        (lambda: archspec.export("a", "b", max_loss=float("nan")), "`max_loss` must be a finite number of 0 or more"),
        (lambda: archspec.serve("a", timeout=float("inf")), "`timeout` must be a positive finite number, but is `inf`"),
        (lambda: next(archspec.networks("lenet:5")), "`lenet:5` is one network, not a family"),
        (lambda: archspec.load("lenet:5", classes=float("nan")), "`classes` cannot be set to NaN or infinity"),
        (
            lambda: archspec.train("lenet:5", "digits", init_map=["a=b"]),
            "`init_map` selects layers of `init_from`, which is missing",
        ),
        (lambda: archspec.evaluate("a", "digits", protocol=""), "the protocol is empty"),
    ],
)
def test_an_error_says_what_an_argument_must_be(wrong: Callable[[], object], words: str) -> None:
    with pytest.raises(ArchspecError) as caught:
        wrong()
    assert words in str(caught.value)


@public()
def sample(
    path: StrPath, names: Sequence[str] = (), *, paths: StrPath | Sequence[StrPath] = (), number: PositiveInt = 1
) -> tuple[object, ...]:
    return path, names, paths, number


def test_paths_and_single_strings_are_converted() -> None:
    assert sample(Path("a/b"), "conv1/**") == ("a/b", ("conv1/**",), (), 1)
    assert sample("a", ["b", "c"], paths=Path("d"), number=np.int64(3)) == ("a", ("b", "c"), ("d",), 3)
    assert sample("a", paths=["b", Path("c")])[2] == ("b", "c")
    assert type(sample("a", number=np.int64(3))[3]) is int
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        sample()  # type: ignore[call-arg]


def test_keys_of_settings_may_be_anything_and_are_named() -> None:
    with pytest.raises(ArchspecError, match="1"):
        archspec.plan("resnet-digits", **{"train.early_stopping": {1: "v"}})  # type: ignore[arg-type]


def test_a_name_of_a_host_is_a_name(tmp_path: Path) -> None:
    with pytest.raises(ArchspecError, match=r"is not the name of a host"):
        archspec.serve(tmp_path, allow_hosts=["http://box.example/x"])
