"""A model file with a class of the user's own is read where `--custom MODULE:CLASS` names it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from archspec.cli.main import cli
from archspec.diagnostics import ArchspecError
from archspec.runtime.models import custom_modules
from archspec.runtime.models.custom_modules import use_custom
from archspec.runtime.models.keras_config import custom_classes
from archspec.runtime.models.model_file import load_model

MODULE = """
import keras

class Scale(keras.layers.Layer):
    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A model in scaled.keras with a class of scaling.py in the current folder, which is forgotten again."""
    import keras

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(custom_modules, "_given", {})
    (tmp_path / "scaling.py").write_text(MODULE)
    from scaling import Scale  # type: ignore[import-not-found]

    inputs = keras.Input((5, 5, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(Scale(3.0)(inputs))
    made = keras.Model(inputs, keras.layers.Dense(4)(pooled))
    made.save("scaled.keras")
    del sys.modules["scaling"]
    before = dict(keras.saving.get_custom_objects())
    yield made
    keras.saving.get_custom_objects().clear()
    keras.saving.get_custom_objects().update(before)
    sys.modules.pop("scaling", None)


@pytest.mark.parametrize("name", ["scaling", "scaling:Scale"])
def test_a_named_class_is_imported(name: str, model: Any) -> None:
    use_custom(name)
    loaded, _ = load_model("scaled.keras")
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype("float32")
    np.testing.assert_allclose(loaded(x), model(x), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "fact", "help"),
    [
        ("scaling:Scales", "has no class `Scales`", "`scaling:Scale`"),
        ("broken", "cannot be imported: ZeroDivisionError", "in the folder of MODULE.py"),
    ],
)
def test_what_cannot_be_imported_is_named(name: str, fact: str, help: str, model: Any) -> None:
    Path("broken.py").write_text("1 / 0\n")
    use_custom(name)
    with pytest.raises(ArchspecError) as caught:
        load_model("scaled.keras")
    (wrong,) = caught.value.diagnostics
    assert wrong.code == "custom-layer"
    assert fact in wrong.message
    assert help in str(wrong.help)


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("no_such_module", "there is no module `no_such_module`"),
        ("no_such.part:Scale", "there is no module `no_such`"),
        ("scaling.py", "does not have the form MODULE or MODULE:CLASS"),
        ("scaling:", "does not have the form MODULE or MODULE:CLASS"),
        ("here/scaling", "does not have the form MODULE or MODULE:CLASS"),
    ],
)
def test_a_module_that_is_not_there_is_refused_at_once(name: str, fact: str) -> None:
    """By every command with the option, also one that loads no model file."""
    found = CliRunner().invoke(cli, ["train", "resnet-digits", "--data", "digits", "--custom", name])
    assert isinstance(found.exception, ArchspecError)
    (wrong,) = found.exception.diagnostics
    assert wrong.code == "custom-layer"
    assert fact in wrong.message


def test_a_module_of_the_current_folder_is_found_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(custom_modules, "_given", {})
    Path("broken.py").write_text("1 / 0\n")
    use_custom("broken:Scale")
    assert custom_modules._given == {"broken:Scale": False}


def test_a_class_of_the_script_that_wrote_the_file_is_named() -> None:
    """Keras writes no module for a class of `__main__`."""
    import keras

    own = type("Own", (keras.layers.Layer,), {"__module__": "__main__"})
    config = keras.saving.serialize_keras_object(keras.Sequential([own(), keras.layers.Dense(2, activation="relu")]))
    assert custom_classes(config) == ["`Own`"]
