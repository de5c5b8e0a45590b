"""Groups of entry points are found in installed packages as importlib.metadata finds them."""

import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from archspec import plugins


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python imports from."""
    monkeypatch.syspath_prepend(tmp_path)
    plugins.named_groups.cache_clear()
    yield tmp_path
    plugins.named_groups.cache_clear()


def install(folder: Path, information: str, entry_points: str) -> None:
    (folder / information).mkdir(parents=True)
    (folder / information / "METADATA").write_text("Metadata-Version: 2.1\nName: gains\nVersion: 1\n")
    (folder / information / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: gains\nVersion: 1\n")
    (folder / information / "entry_points.txt").write_text(entry_points)


@pytest.mark.parametrize("information", ["gains-1.dist-info", "gains.egg-info"])
@pytest.mark.parametrize("group", ["archspec.ops", "archspec.transforms"])
def test_a_package_that_names_a_group_is_found(folder: Path, information: str, group: str) -> None:
    install(folder, information, f"[console_scripts]\ngain = gains:main\n\n[{group}]\ngain = gains\n")
    assert plugins.named_groups() == {group}
    assert [each.value for each in metadata.entry_points(group=group)] == ["gains"]


def test_other_groups_and_broken_packages_do_not_count(folder: Path) -> None:
    install(folder, "gains-1.dist-info", "[other]\narchspec.ops = gains\n# [archspec.ops]\n")
    (folder / "empty-1.dist-info").mkdir()
    (folder / "file-1.dist-info").write_text("")
    assert plugins.named_groups() == frozenset()
    assert not metadata.entry_points(group="archspec.ops")


def test_where_packages_may_be_in_a_zip_file_importlib_is_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(folder / "packages.zip", "w") as archive:
        archive.writestr("gains-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: gains\nVersion: 1\n")
        archive.writestr("gains-1.dist-info/entry_points.txt", "[archspec.ops]\ngain = no_such_module\n")
    monkeypatch.syspath_prepend(folder / "packages.zip")
    assert plugins.named_groups() is None
    with pytest.warns(UserWarning, match="the operator `gain` of the package `gains` is left out"):
        plugins.load_plugins("archspec.ops", "operator")
