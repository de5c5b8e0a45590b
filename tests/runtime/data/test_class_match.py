"""Classes of data are matched to the outputs of a network by name, by a class list, or by number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.runtime.data.class_list import ClassName, read_class_list
from archspec.runtime.data.class_match import in_network_order, match_classes
from archspec.runtime.data.images import Images
from tests.refusal import refused

ABC = ("a", "b", "c")
FISH = (ClassName("tench", "n01440764"), ClassName("goldfish", "n01443537"), ClassName("great white", "n01484850"))


def images(names: tuple[str, ...], labels: list[int]) -> Images:
    return Images(names, np.array(labels, np.int32), np.zeros((len(labels), 3, 4, 1), np.uint8))


def test_part_of_the_classes_is_matched_by_name_and_the_rest_said() -> None:
    lines: list[str] = []
    found = match_classes(images(("a", "c"), [0, 1, 1]), ABC, 3, "eval", report=lines.append)
    assert (found.class_names, found.labels.tolist()) == (ABC, [0, 2, 2])
    assert lines == ["`eval` has no images of 1 of the network's 3 classes: b"]


def test_an_empty_class_needs_no_match() -> None:
    found = match_classes(images(("a", "b", "notes"), [0, 1]), ABC, 3, "eval")
    assert found.labels.tolist() == [0, 1]


@pytest.mark.parametrize("names", [("n01443537", "n01484850"), ("Goldfish", "great_white"), ("1", "0002")])
@pytest.mark.parametrize("network", [None, ("n01440764", "n01443537", "n01484850")])
def test_a_list_matches_names_synsets_and_numbers(names: tuple[str, ...], network: tuple[str, ...] | None) -> None:
    found = match_classes(images(names, [0, 1, 1]), network, 3, "eval", class_list=FISH)
    assert found.labels.tolist() == [1, 2, 2]
    assert found.class_names == ("tench", "goldfish", "great white")


def test_a_list_in_another_order_follows_the_names_of_the_network(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("c\nb\na\n")
    listed = read_class_list(tmp_path / "list.txt", 3)
    assert match_classes(images(("c",), [0]), ABC, 3, "eval", class_list=listed).labels.tolist() == [2]


@pytest.mark.parametrize("words", [("c", "a", "b"), ("C", "A", "B")])
def test_a_list_in_another_order_gives_each_class_its_own_name(words: tuple[str, ...]) -> None:
    found = in_network_order([ClassName(word) for word in words], ABC, print)
    assert [each.name.lower() for each in found] == ["a", "b", "c"]


def test_a_list_that_renames_classes_is_said_and_one_that_contradicts_them_refused() -> None:
    lines: list[str] = []
    assert [each.name for each in in_network_order(FISH, ABC, lines.append)] == ["tench", "goldfish", "great white"]
    assert lines == ["the network's classes a, b, c are called tench, goldfish, great white"]
    one = [ClassName("a"), ClassName("x"), ClassName("c")]
    assert in_network_order(one, ABC, lines.append) == one
    wrong = refused(lambda: in_network_order([ClassName("b"), ClassName("x"), ClassName("c")], ABC, print))
    assert wrong.message == "the list of classes has `b` in place 1, where the network has `a`"
    assert wrong.help == "give the names in the order of the network: a, b, c"


def test_a_network_without_names_takes_numbers_or_as_many_classes_in_their_order() -> None:
    lines: list[str] = []
    assert match_classes(images(("7", "12"), [0, 1]), None, 1000, "d", report=lines.append).labels.tolist() == [7, 12]
    assert lines[0] == "the classes of `d` are matched to the network's by their numbers"
    lines.clear()
    assert match_classes(images(("x", "y"), [0, 1]), None, 2, "d", report=lines.append).class_names == ("x", "y")
    assert lines == ["the network has no class names: the classes of `d` are taken in their order"]
    wrong = refused(lambda: match_classes(images(("x", "y"), [0, 1]), None, 1000, "d"))
    assert (wrong.code, '`classes="FILE"`' in (wrong.help or "")) == ("classes-mismatch", True)


def test_classes_that_the_network_does_not_know_are_refused_with_both_lists() -> None:
    wrong = refused(lambda: match_classes(images(("a", "gnu", "\x1b[31m"), [0, 1, 2]), ABC, 3, "d"))
    assert wrong.message == "the network was not trained on 2 classes of `d`"
    assert wrong.notes == ("only in the data: \\x1b[31m, gnu", "only in the network: b, c")
