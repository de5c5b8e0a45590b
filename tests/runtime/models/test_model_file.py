"""Model files: what they carry, that Keras reads them, that no other file is taken for one; grouped convolutions."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from archspec.diagnostics import ArchspecError
from archspec.runtime.models.fast.grouped_conv import speed_up_grouped_convolutions
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import (
    MEMBER,
    MEMBER_BYTES,
    load_model,
    model_path,
    read_metadata,
    save_model,
)
from archspec.runtime.system.atomic_write import os_errors
from archspec.transforms import TRANSFORMS

# Keras hands its variables to NumPy in a way that NumPy 2 is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

METADATA = Metadata(
    reference="some:thing",
    spec="name: some\n",
    class_names=("Ünder", "over", ""),
    preprocess=(TRANSFORMS["scale"].make({"factor": 0.5}), TRANSFORMS["normalize"].make({"mean": [1], "std": [2]})),
    resize=9,
)


def network() -> Any:
    inputs = keras.Input((5, 4, 4))
    x = keras.layers.Conv2D(6, 3, groups=2)(inputs)
    return keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(3)(keras.layers.Flatten()(x))))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "some.keras"
    save_model(network(), path, METADATA)
    return path


def refused(path: str | Path) -> Any:
    with pytest.raises(ArchspecError) as caught:
        load_model(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.help
    return diagnostic


def test_a_model_comes_back_with_its_metadata(saved: Path) -> None:
    model, metadata = load_model(saved)
    assert metadata == METADATA
    assert [file.name for file in saved.parent.iterdir()] == ["some.keras"]  # nothing temporary stays
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 4)).astype(np.float32)
    alone = keras.saving.load_model(saved)  # Keras by itself, whose grouped convolution goes another way
    np.testing.assert_allclose(model(x).numpy(), alone(x).numpy(), atol=1e-6)


def test_a_file_of_keras_alone_is_read_with_nothing_known(tmp_path: Path) -> None:
    network().save(tmp_path / "plain.keras")
    assert load_model(str(tmp_path / "plain.keras"))[1] == Metadata()


def test_a_run_directory_stands_for_its_best_model_and_else_its_last(tmp_path: Path) -> None:
    (tmp_path / "last.keras").touch()
    assert model_path(tmp_path) == tmp_path / "last.keras"
    (tmp_path / "best.keras").touch()
    assert model_path(tmp_path) == tmp_path / "best.keras"


def test_what_is_not_there_is_said_so(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.keras").code == "model-not-found"
    assert refused(tmp_path).code == "model-not-found"
    (tmp_path / "saved_model.pb").touch()
    assert refused(tmp_path).code == "not-a-model"


def rewritten(source: bytes, **members: bytes | None) -> bytes:
    """The zip file with members replaced, added, or (None) left out."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(source)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        contents = {name: old.read(name) for name in old.namelist()}
        contents |= {name.replace("_", "."): content for name, content in members.items() if content is not None}
        for name, content in contents.items():
            if members.get(name.replace(".", "_"), b"") is not None:
                new.writestr(name, content)
    return result.getvalue()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "text": lambda good: b"name: lenet\nlayers: []\n",
    "cut short": lambda good: good[: len(good) // 2],
    "the middle zeroed": lambda good: good[:2000] + bytes(4000) + good[6000:],
    "another zip": lambda good: rewritten(good, config_json=None),
    "config is no JSON": lambda good: rewritten(good, config_json=b"{"),
    "config is a number": lambda good: rewritten(good, config_json=b"1"),
    "config of no known class": lambda good: rewritten(good, config_json=b'{"class_name": "Nothing", "config": {}}'),
    "deep JSON": lambda good: rewritten(good, config_json=b"[" * 200_000),
    "metadata is no JSON": lambda good: rewritten(good, archspec_json=b"\xff"),
    "metadata of a later format": lambda good: rewritten(good, archspec_json=b'{"format": 2}'),
    "unknown transform": lambda good: rewritten(good, archspec_json=preprocess({"no_such": {}})),
    "transform with a wrong value": lambda good: rewritten(good, archspec_json=preprocess({"scale": {"factor": "x"}})),
    "transform with a wrong argument": lambda good: rewritten(good, archspec_json=preprocess({"scale": {"f": 1}})),
    "transform without its argument": lambda good: rewritten(good, archspec_json=preprocess({"normalize": {}})),
    "transform of nothing": lambda good: rewritten(good, archspec_json=preprocess({})),
    "preprocess is a number": lambda good: rewritten(good, archspec_json=b'{"format": 1, "preprocess": 5}'),
    "names are a number": lambda good: rewritten(good, archspec_json=b'{"format": 1, "class_names": 5}'),
    "fewer names than outputs": lambda good: rewritten(good, archspec_json=b'{"format": 1, "class_names": ["a"]}'),
    "names that are numbers": lambda good: rewritten(good, archspec_json=b'{"format": 1, "class_names": [1, 2]}'),
    "a member that unpacks to 64 MB": lambda good: rewritten(good, archspec_json=b" " * (4 * MEMBER_BYTES)),
}


def preprocess(transform: object) -> bytes:
    return json.dumps({"format": 1, "preprocess": [transform]}).encode()


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_is_no_model_is_refused(saved: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "damaged.keras"
    path.write_bytes(damage(saved.read_bytes()))
    diagnostic = refused(path)
    assert diagnostic.code == "not-a-model"
    assert str(path) in diagnostic.message


def test_a_model_under_another_ending_is_known_by_its_contents(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "model.zip").write_bytes(saved.read_bytes())
    model, metadata = load_model(tmp_path / "model.zip")
    assert (model.count_params(), metadata) == (load_model(saved)[0].count_params(), read_metadata(saved))


def test_python_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2)(inputs))
    model.save(tmp_path / "lambda.keras")
    assert refused(tmp_path / "lambda.keras").code == "model-unsafe"


@contextmanager
def full_disk(bytes: int) -> Iterator[None]:
    """Files end at so many bytes: what the system then says is what it says of a disk that is full."""
    resource = pytest.importorskip("resource", reason="limits of file sizes are of POSIX systems")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("bytes", [0, 1_000, 15_000])
def test_a_full_disk_leaves_the_earlier_file_whole(saved: Path, tmp_path: Path, bytes: int) -> None:
    path = tmp_path / "kept.keras"
    path.write_bytes(saved.read_bytes())
    assert bytes < path.stat().st_size
    with full_disk(bytes), pytest.raises(ArchspecError) as caught:
        save_model(network(), path, Metadata())
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, str(path) in diagnostic.message) == ("cannot-write", True)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == saved.read_bytes()


def test_what_tensorflow_says_of_a_place_is_said_without_its_temporary_name() -> None:
    with pytest.raises(ArchspecError) as caught, os_errors(Path("out")):
        raise OSError("to/.out.3700.tmp; Read-only file system")
    assert caught.value.diagnostics[0].message == "cannot write `out`: read-only file system"


GROUPED: dict[str, tuple[tuple[int, ...], Any]] = {
    "1-D, causal": ((11, 4), keras.layers.Conv1D(6, 3, groups=2, padding="causal", dilation_rate=2, activation="relu")),
    "1-D": ((11, 4), keras.layers.Conv1D(6, 3, groups=2, strides=2, padding="same")),
    "2-D": ((11, 9, 6), keras.layers.Conv2D(9, 3, groups=3, strides=2, padding="same")),
    "2-D, not square": ((11, 9, 6), keras.layers.Conv2D(4, (2, 3), groups=2, strides=(2, 1), use_bias=False)),
    "one channel a group": ((11, 9, 6), keras.layers.Conv2D(12, (3, 5), groups=6, strides=2, padding="same")),
    "one channel a group, dilated": ((11, 9, 6), keras.layers.Conv2D(12, (3, 5), groups=6, dilation_rate=(2, 1))),
    "one channel a group, uneven step": ((11, 9, 6), keras.layers.Conv2D(12, 3, groups=6, strides=(1, 2))),
    "3-D": ((5, 7, 8, 4), keras.layers.Conv3D(6, 3, groups=2)),
}


@pytest.mark.parametrize(("shape", "layer"), GROUPED.values(), ids=GROUPED)
def test_groups_one_by_one_give_what_keras_gives(shape: tuple[int, ...], layer: Any) -> None:
    """Outputs and gradients; the layer's configuration does not change."""
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(inputs))
    x = tf.constant(np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32))

    def outputs_and_gradients() -> list[Any]:
        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def run() -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = model(x)
                loss = tf.reduce_sum(tf.square(y))
            return [y, *tape.gradient(loss, [x, *(weight.value for weight in model.trainable_variables)])]

        return [tensor.numpy() for tensor in run()]

    config, expected, own = model.get_config(), outputs_and_gradients(), layer.convolution_op
    assert speed_up_grouped_convolutions(model, always=True) == 1
    assert layer.convolution_op != own
    for given, wanted in zip(outputs_and_gradients(), expected, strict=True):
        np.testing.assert_allclose(given, wanted, atol=1e-5 * np.abs(wanted).max())
    assert model.get_config() == config


def test_grouped_convolutions_are_found_in_nested_models() -> None:
    inputs = keras.Input((5, 4, 4))
    nested = network()
    model = keras.Model(inputs, nested(inputs))
    assert speed_up_grouped_convolutions(model, always=True) == 1
    assert "convolution_op" in vars(nested.layers[1])


def test_files_written_here_are_read_by_keras_in_a_process_without_archspec(saved: Path) -> None:
    import subprocess

    code = "import keras, sys; keras.saving.load_model(sys.argv[1]); assert 'archspec' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(saved)], check=True, capture_output=True, timeout=120)
    assert MEMBER in zipfile.ZipFile(saved).namelist()


LAYERS = """
import keras

REGISTER
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""
PLUGIN = """
from archspec.ops import Op

class Double(Op):
    "Times two."
    name = "double"

    def build(self, keras, name):
        from twice_layers import Twice
        return Twice(name=name)
"""
CODE = """
import sys, archspec
if len(sys.argv) > 1:
    import twice
try:
    network = archspec.load("net.yaml")
    if len(sys.argv) > 1:
        network.save("net.keras", overwrite=True)
        archspec.train(network, "digits", out="run", overwrite=True)
    print(archspec.predict("run", "run/example.png")[0].error)
except archspec.ArchspecError as error:
    print(error.diagnostics[0].code, error.diagnostics[0].help)
"""


@pytest.mark.slow
@pytest.mark.parametrize("registered", [False, True])
def test_a_layer_that_cannot_be_loaded_again_is_refused_before_training(tmp_path: Path, registered: bool) -> None:
    """And one that can be is found by another process, which knows the operator as a plugin."""
    register = "@keras.saving.register_keras_serializable('twice')" if registered else ""
    (tmp_path / "twice_layers.py").write_text(LAYERS.replace("REGISTER", register))
    (tmp_path / "twice.py").write_text(PLUGIN)
    (tmp_path / "net.yaml").write_text(
        "name: net\ninput: [8, 8, 1]\ntrain: {epochs: 1, batch_size: 512}\n"
        "layers: [conv: 3, double, global_avgpool, dense: 10, softmax]\n"
    )
    if registered:
        (tmp_path / "twice-1.dist-info").mkdir()
        (tmp_path / "twice-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: twice\nVersion: 1\n")
        (tmp_path / "twice-1.dist-info" / "entry_points.txt").write_text("[archspec.ops]\ndouble = twice\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}

    def printed(*arguments: str) -> str:
        command = [sys.executable, "-c", CODE, *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = printed("train")
    if registered:
        assert first == "None\n"
        assert printed() == "None\n"
    else:
        assert first.startswith("custom-layer decorate the class with `@keras.saving.register_keras_serializable()`")
        assert not (tmp_path / "run").exists()
        assert not (tmp_path / "net.keras").exists()


def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    """Reading it would wait for ever."""
    os.mkfifo(tmp_path / "pipe.keras")
    with pytest.raises(ArchspecError) as caught:
        model_path(tmp_path / "pipe.keras")
    assert caught.value.diagnostics[0].code == "not-a-model"


def test_a_name_that_is_too_long_is_no_model() -> None:
    with pytest.raises(ArchspecError) as caught:
        read_metadata("x" * 5000)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "model-not-found"
    assert diagnostic.message.endswith("...`: file name too long")


def test_a_full_disk_for_temporary_files_is_not_blamed_on_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras unpacks the weights of a file into a temporary one."""

    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    save_model(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), tmp_path / "m.keras", Metadata())
    monkeypatch.setattr(keras.saving, "load_model", full)
    with pytest.raises(ArchspecError, match=r"cannot-write.*cannot unpack `.*m\.keras` in .*: no space left on device"):
        load_model(tmp_path / "m.keras")
