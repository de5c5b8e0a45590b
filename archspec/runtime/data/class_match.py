"""Match the classes of a data set to the outputs of a network: by name, by a class list, or by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from archspec.diagnostics import ArchspecError, counted, fail, listed, printable
from archspec.runtime.data.class_list import ClassName, unique_names
from archspec.runtime.data.images import Images, Report, class_counts

NAMED = 10  # classes that a message names


def match_classes(
    images: Images,
    class_names: tuple[str, ...] | None,
    outputs: int,
    data: str,
    *,
    class_list: Sequence[ClassName] | None = None,
    report: Report = lambda line: None,
) -> Images:
    """The images with the labels of the network's classes, of which the data may have some only.

    The names in the data may be those of the network, names or synsets of the class list (in any case, with "_" for a
    space), or numbers of classes. A network without names and a list takes as many classes as it has in their order.

    Args:
        images: their class names are those of the data. Classes without images need no match.
        class_names: of the network; None if it has none.
        outputs: the number of the network's classes.
        data: for messages.
        class_list: the classes in the order of the outputs. If it has all names of the network, these determine the
            order.
        report: receives a line if classes are matched by their numbers or order, or if the data lacks some.

    Raises:
        ArchspecError: classes-mismatch if a class with images is unknown to the network.
    """
    entries = None if class_list is None else in_network_order(class_list, class_names, report)
    names = unique_names(entries) if entries else class_names
    present = {name for name, count in zip(images.class_names, class_counts(images), strict=True) if count}
    place = printable(data)
    lookups = _lookups(class_names, entries)
    numbers = all(name.isdecimal() and int(name) < outputs for name in present)
    numbers = numbers and not all(name.isdecimal() for name in names or ("",))
    find = next((find for find in lookups if all(find(name) is not None for name in present)), None)
    if find is None and numbers:
        report(f"the classes of `{place}` are matched to the network's by their numbers")
        find = int
    if find is None and names is None and len(images.class_names) == outputs:
        report(f"the network has no class names: the classes of `{place}` are taken in their order")
        return images
    if find is None:
        known = [name for name in present if any(lookup(name) is not None for lookup in lookups)]
        raise _mismatch(images, present - set(known), names, outputs, place)
    names = names or tuple(map(str, range(outputs)))
    numbers_of = np.array([find(name) if name in present else -1 for name in images.class_names], np.int32)
    missing = [name for label, name in enumerate(names) if label not in set(numbers_of.tolist())]
    here = [name for name in images.class_names if name not in present]
    if missing and len(missing) > len(here):
        some = listed(map(printable, missing), NAMED)
        report(f"`{place}` has no images of {len(missing):,} of the network's {counted(outputs, 'class')}: {some}")
    return replace(images, class_names=names, labels=numbers_of[images.labels])


def in_network_order(
    class_list: Sequence[ClassName], class_names: tuple[str, ...] | None, report: Report
) -> Sequence[ClassName]:
    """The classes of a list in the order of the network's outputs, by its own names where the list has them.

    A list without the network's names is taken as it is, and renames the classes; `report` receives their new names.

    Raises:
        ArchspecError: class-list if the list has some of the network's names in other places.
    """
    if class_names is None:
        return class_list
    names = [each.name for each in class_list]
    synsets = {each.synset: place for place, each in enumerate(class_list) if each.synset}
    exact = {name: place for place, name in enumerate(names) if names.count(name) == 1}
    for find in (synsets.get, exact.get, _tolerant(names)):
        places = [place for name in class_names if (place := find(name)) is not None]
        if len(set(places)) == len(class_names):
            return [class_list[place] for place in places]
    own = _tolerant(class_names)
    for place, each in enumerate(class_list):
        if own(each.name) not in (None, place):
            here, there = printable(class_names[place]), printable(each.name)
            fact = f"the list of classes has `{there}` in place {place + 1}, where the network has `{here}`"
            order = f"give the names in the order of the network: {listed(map(printable, class_names), NAMED)}"
            raise fail("class-list", fact, help=order)
    if not all(map(str.isdecimal, class_names)):
        before, after = (listed(map(printable, each), NAMED) for each in (class_names, names))
        report(f"the network's classes {before} are called {after}")
    return class_list


Lookup = Callable[[str], int | None]


def _lookups(class_names: tuple[str, ...] | None, entries: Sequence[ClassName] | None) -> list[Lookup]:
    """Functions from a name to a number of a class, the strictest first."""
    found: list[Lookup] = []
    if class_names:
        found.append({name: label for label, name in enumerate(class_names)}.get)
    if entries:
        synsets = {each.synset: label for label, each in enumerate(entries) if each.synset}
        if synsets:
            found.append(synsets.get)
        found.append(_tolerant(unique_names(entries)))
    if class_names:
        found.append(_tolerant(class_names))
    return found


def _tolerant(names: Sequence[str]) -> Lookup:
    """A lookup that ignores case, and the difference of "_", "-" and a space; ambiguous names are not found."""
    keys = [_key(name) for name in names]
    numbers: Mapping[str, int] = {key: label for label, key in enumerate(keys) if keys.count(key) == 1}
    return lambda name: numbers.get(_key(name))


def _key(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").strip()


def _mismatch(
    images: Images, unknown: set[str], names: tuple[str, ...] | None, outputs: int, place: str
) -> ArchspecError:
    if names is None:
        fact = (
            f"the network has {counted(outputs, 'class')} without names, but `{place}` has {len(images.class_names):,}"
        )
        help = "`--classes FILE` names the network's classes, which are then matched by name"
        return fail("classes-mismatch", fact, help=help)
    only = sorted(unknown) or [name for name in images.class_names if name not in names]
    missing = [name for name in names if name not in images.class_names]
    notes = [f"only in the data: {listed(map(printable, only), NAMED)}"]
    notes += [f"only in the network: {listed(map(printable, missing), NAMED)}"] if missing else []
    fact = f"the network was not trained on {counted(len(only), 'class')} of `{place}`"
    help = "use the class names of training, or give a list of the network's classes with `--classes FILE`"
    return fail("classes-mismatch", fact, notes=notes, help=help)
