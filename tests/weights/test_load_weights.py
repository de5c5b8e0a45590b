"""Weights reach the right layers: the outputs afterwards are those of the model that they come from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.weights import described, load_weights
from tests.weights import torch_writer
from tests.weights.random_weights import randomize

PAGE = """
name: small
input: [9, 7, 3]
params: {classes: 6}
blocks:
  unit:
    args: [filters, strides: 1]
    layers:
      - residual:
          body:
            - conv: {filters: $filters, kernel_size: 3, strides: $strides, padding: 1, use_bias: false}
            - bn
            - relu
            - depthwise_conv: {kernel_size: [3, 1], padding: same}
            - conv: {filters: $filters, kernel_size: 1, groups: 2}
          project: [conv: {filters: $filters, kernel_size: 1, strides: $strides, use_bias: false}, bn]
layers:
  - conv: {filters: 8, kernel_size: [3, 1]}
  - prelu: [1, 2]
  - {name: units, unit: 8, repeat: 2, first: {strides: 2}}
  - layer_norm
  - flatten
  - bn
  - {dropout: 0.5}
  - dense: 10
  - relu
  - dense: $classes
  - softmax
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "small.yaml"
    path.write_text(PAGE)
    return str(path)


@pytest.fixture(scope="module")
def trained(page: str) -> Any:
    return randomize(archspec.load(page).build())


def same(model: Any, other: Any) -> None:
    x = np.random.default_rng(1).normal(size=(2, 9, 7, 3)).astype("float32")
    np.testing.assert_allclose(model(x), other(x), atol=1e-6)


# ---- files of archspec and Keras ---


@pytest.mark.parametrize(("suffix", "write"), [(".keras", "save"), (".weights.h5", "save_weights")])
def test_own_files_are_matched_by_name(suffix: str, write: str, trained: Any, page: str, tmp_path: Path) -> None:
    path = tmp_path / f"small{suffix}"
    getattr(trained, write)(path)
    model = archspec.load(page).build()
    matching = load_weights(model, path)
    assert matching.how == "by name"
    assert "6 conv, 1 param, 4 bn, 2 depthwise, 1 norm, 2 dense" in described(matching, "small")
    same(model, trained)


def foreign() -> Any:
    """The network of the page as someone else writes it: fused activations, sums the other way round, nested."""
    layers = keras.layers

    def unit(x: Any, strides: int) -> Any:
        short = x
        if strides > 1:
            short = layers.BatchNormalization()(layers.Conv2D(8, 1, strides, use_bias=False)(x))
        y = layers.Conv2D(8, 3, strides, use_bias=False)(layers.ZeroPadding2D()(x))
        y = layers.Activation("relu")(layers.BatchNormalization()(y))
        y = layers.DepthwiseConv2D((3, 1), padding="same")(y)
        return layers.Add()([layers.Conv2D(8, 1, groups=2)(y), short])

    x = inputs = keras.Input((9, 7, 3))
    x = layers.PReLU(shared_axes=(1, 2))(layers.Conv2D(8, (3, 1))(x))
    x = layers.LayerNormalization()(unit(unit(x, 2), 1))
    top = keras.Sequential([layers.Flatten(), layers.BatchNormalization(), layers.Dense(10, activation="relu")])
    return keras.Model(inputs, layers.Dense(6, activation="softmax")(top(x)))


@pytest.mark.parametrize(("suffix", "how"), [(".keras", "by graph"), (".h5", "by graph")])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")  # on purpose
def test_a_keras_model_is_matched_by_its_graph(suffix: str, how: str, page: str, tmp_path: Path) -> None:
    other = randomize(foreign(), 3)
    other.save(tmp_path / f"foreign{suffix}")
    model = archspec.load(page).build()
    assert load_weights(model, tmp_path / f"foreign{suffix}").how == how
    same(model, other)


def test_a_graph_that_is_wired_otherwise_does_not_match(page: str, tmp_path: Path) -> None:
    """The same layers in the same order, but the second unit without its shortcut."""
    text = PAGE.replace("unit: 8, repeat: 2", "unit: 8, repeat: 1").replace(
        "  - layer_norm",
        "  - conv: {filters: 8, kernel_size: 3, padding: 1, use_bias: false}\n  - bn\n  - relu\n"
        "  - depthwise_conv: {kernel_size: [3, 1], padding: same}\n"
        "  - conv: {filters: 8, kernel_size: 1, groups: 2}\n  - layer_norm",
    )
    (tmp_path / "other.yaml").write_text(text)
    model = archspec.load(str(tmp_path / "other.yaml")).build()
    model.save(tmp_path / "other.keras")
    assert load_weights(archspec.load(page).build(), tmp_path / "other.keras").how != "by graph"


def test_a_weight_file_of_keras_applications_is_read_through_its_function(tmp_path: Path) -> None:
    """By order alone, the shortcut's kernels would stand before those of the third convolution."""
    other = randomize(keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3), classes=5))
    other.save_weights(tmp_path / "resnet50_like.weights.h5")
    model = archspec.load("resnet-keras:50", input=[32, 32, 3], classes=5).build()
    assert load_weights(model, tmp_path / "resnet50_like.weights.h5").how == "by graph"
    x = np.random.default_rng(1).normal(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(model(x), other(x), atol=1e-6)


# ---- state dicts ---


def state_dict(model: Any) -> dict[str, Any]:
    """The weights of the small network as PyTorch would keep them, made index by index from its layouts."""
    state: dict[str, Any] = {}
    names = iter(
        [
            "stem.conv",
            "stem.act",
            *(f"units.0.{word}" for word in ("conv1", "bn1", "dw", "conv2", "downsample.0", "downsample.1")),
            *(f"units.1.{word}" for word in ("conv1", "bn1", "dw", "conv2")),
            "norm",
            "head.bn",
            "head.fc1",
            "head.fc2",
        ]
    )
    order = {node.keras_name: i for i, node in enumerate(archspec.load(model.page).graph().nodes)}
    height, width, channels = 4, 4, 8
    for layer in sorted((layer for layer in model.layers if layer.weights), key=lambda layer: order[layer.name]):
        name = next(names)
        first, *others = [weight.numpy() for weight in layer.weights]
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            first = np.stack([first[:, :, c, 0] for c in range(first.shape[2])])[:, None]
        elif isinstance(layer, keras.layers.Conv2D):
            first = np.stack([[first[:, :, i, o] for i in range(first.shape[2])] for o in range(first.shape[3])])
        elif isinstance(layer, keras.layers.Dense):
            first = first.T
        elif isinstance(layer, keras.layers.PReLU):
            first = first.reshape(-1)
        if name in ("head.bn", "head.fc1"):  # PyTorch flattens channel by channel
            axis = first.ndim - 1
            maps = np.moveaxis(first, axis, 0).reshape(height, width, channels, -1)
            by_channel = [maps[y, x, c] for c in range(channels) for y in range(height) for x in range(width)]
            first = np.moveaxis(np.array(by_channel).reshape(-1, *first.shape[:axis]), 0, axis)
        if name == "head.bn":
            others = [
                np.array([v.reshape(4, 4, 8)[y, x, c] for c in range(8) for y in range(4) for x in range(4)])
                for v in others
            ]
        words = ("weight", "bias", "running_mean", "running_var")
        state.update({f"{name}.{word}": array for word, array in zip(words, [first, *others], strict=False)})
        if len(others) == 3:
            state[f"{name}.num_batches_tracked"] = np.array(9, "int64")
    return state


@pytest.fixture(scope="module")
def state(trained: Any, page: str) -> dict[str, Any]:
    trained.page = page
    return state_dict(trained)


def write_safetensors(path: Path, state: dict[str, Any]) -> Path:
    """Sorted by name, as the library does it."""
    from tests.weights.test_safetensors import entry, write

    header, data = {}, b""
    for name in sorted(state):
        array = np.ascontiguousarray(state[name])
        dtype = {"float32": "F32", "int64": "I64"}[array.dtype.name]
        header[name] = entry(list(array.shape), len(data), len(data) + array.nbytes, dtype)
        data += array.tobytes()
    return write(path, header, data)


@pytest.mark.parametrize(
    ("name", "write", "how"),
    [
        ("x.pth", torch_writer.save, "by order"),
        ("x.pth", torch_writer.save_old, "by order"),
        ("x.safetensors", write_safetensors, "by order within modules"),
    ],
)
def test_a_state_dict_is_matched_and_its_layouts_are_turned(
    name: str, write: Callable[..., Path], how: str, state: dict[str, Any], trained: Any, page: str, tmp_path: Path
) -> None:
    path = write(tmp_path / name, state)
    model = archspec.load(page).build(weights=path)
    same(model, trained)
    assert load_weights(model, path).how == how


def test_auxiliary_classifiers_that_the_page_lacks_are_left_out(
    state: dict[str, Any], trained: Any, page: str, tmp_path: Path
) -> None:
    more = {**state, "aux1.fc.weight": np.zeros((3, 8), "float32"), "aux1.fc.bias": np.zeros(3, "float32")}
    model = archspec.load(page).build()
    matching = load_weights(model, torch_writer.save(tmp_path / "x.pth", more))
    assert [unit.name for unit in matching.unused] == ["aux1.fc"]
    same(model, trained)


@pytest.mark.parametrize("write", [torch_writer.save, write_safetensors])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_shortcut_is_known_by_its_name_where_shapes_cannot_tell(
    write: Callable[..., Path], place: str, tmp_path: Path
) -> None:
    """timm registers `downsample` last; its kernel has the shape of the first 1x1 of the body (RegNet)."""
    (tmp_path / "net.yaml").write_text(
        "name: net\ninput: [6, 5, 3]\nlayers:\n"
        "  - {name: block, residual: {body: [conv: {filters: 4, kernel_size: 1, use_bias: false}, relu,"
        " conv: {filters: 4, kernel_size: 1, use_bias: false}],"
        " project: [conv: {filters: 4, kernel_size: 1, use_bias: false}], shortcut: project}}\n"
    )
    random = np.random.default_rng(0)
    conv1, conv2, downsample = (random.normal(size=(4, n, 1, 1)).astype("float32") for n in (3, 4, 3))
    body = {"b.conv1.weight": conv1, "b.conv2.weight": conv2}
    shortcut = {"b.downsample.weight": downsample}
    state = {**shortcut, **body} if place == "first" else {**body, **shortcut}
    file = write(tmp_path / ("x.pth" if write is torch_writer.save else "x.safetensors"), state)
    model = archspec.load(str(tmp_path / "net.yaml")).build(weights=file)
    x = random.normal(size=(2, 6, 5, 3)).astype("float32")
    one, two, other = (kernel[:, :, 0, 0].T for kernel in (conv1, conv2, downsample))
    np.testing.assert_allclose(model(x), np.maximum(x @ one, 0) @ two + x @ other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["pth", "safetensors", "keras"])
def test_a_new_classifier_keeps_its_initial_weights(
    kind: str, state: dict[str, Any], trained: Any, page: str, tmp_path: Path
) -> None:
    path = tmp_path / f"x.{kind}"
    {"pth": torch_writer.save, "safetensors": write_safetensors}.get(kind, lambda path, _: trained.save(path))(
        path, state
    )
    model = archspec.load(page, classes=3).build()
    head = model.get_layer("dense_2")
    before = head.get_weights()
    with pytest.raises(ArchspecError, match="set classes=6"):
        load_weights(model, path)
    matching = load_weights(model, path, new_head=True)
    assert [slot.name for slot in matching.kept] == ["dense_2"]
    np.testing.assert_array_equal(head.get_weights()[0], before[0])
    x = np.random.default_rng(1).normal(size=(2, 9, 7, 3)).astype("float32")
    below = [keras.Model(each.input, each.get_layer("relu").output) for each in (model, trained)]
    np.testing.assert_allclose(below[0](x), below[1](x), atol=1e-6)


# ---- what does not fit ---


def unchanged(model: Any, load: Callable[[], Any]) -> ArchspecError:
    before = [weight.numpy() for weight in model.weights]
    with pytest.raises(ArchspecError) as caught:
        load()
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    return caught.value


def test_weights_of_another_network_are_refused_with_a_table(state: dict[str, Any], page: str, tmp_path: Path) -> None:
    state = {**state, "units.0.dw.weight": np.zeros((8, 1, 5, 1), "float32")}
    path = torch_writer.save(tmp_path / "x.pth", state)
    model = archspec.load(page).build()
    error = unchanged(model, lambda: load_weights(model, path))
    assert error.diagnostics[0].code == "weights-mismatch"
    assert "≠ units.1.unit.depthwise_conv (depthwise 3x1x8x1 + 8)" in str(error)
    assert "units.0.dw (conv 5x1x1x8 + 8)" in str(error)


def test_nothing_is_set_when_the_last_tensor_cannot_be_read(state: dict[str, Any], page: str, tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x.safetensors", state)
    whole = torch_writer.save(tmp_path / "x.pth", state).read_bytes()
    last = state["head.fc2.bias"].tobytes()
    assert whole.count(last) == 1
    (tmp_path / "x.pth").write_bytes(whole.replace(last, bytes(len(last))))  # its checksum is wrong now
    model = archspec.load(page).build()
    error = unchanged(model, lambda: load_weights(model, tmp_path / "x.pth"))
    assert error.diagnostics[0].code == "not-weights"
    path.write_bytes(path.read_bytes()[:-1])
    assert "cut short" in str(unchanged(model, lambda: load_weights(model, path)))


def test_hdf5_that_points_to_other_files_is_refused(trained: Any, page: str, tmp_path: Path) -> None:
    import h5py

    trained.save_weights(tmp_path / "x.weights.h5")
    with h5py.File(tmp_path / "x.weights.h5", "a") as file:
        variables = file["layers/dense/vars"]
        shape = variables["0"].shape
        del variables["0"]
        variables["0"] = h5py.ExternalLink("/etc/hostname", "/")
    model = archspec.load(page).build()
    error = unchanged(model, lambda: load_weights(model, tmp_path / "x.weights.h5"))
    assert "no array of numbers in this file" in str(error)
    with h5py.File(tmp_path / "x.weights.h5", "a") as file:
        variables = file["layers/dense/vars"]
        del variables["0"]
        variables.create_dataset("0", shape, "float32", external=[(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)])
    assert "no array of numbers" in str(unchanged(model, lambda: load_weights(model, tmp_path / "x.weights.h5")))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("missing.pth", "weights-not-found"),
        ("x.npz", "weights-unknown"),
        ("x.h5", "not-weights"),
        ("x.weights.h5", "not-weights"),
        ("x.keras", "not-a-model"),
        (".", "weights-not-found"),
        ("keras:ResNet51", "unknown-application"),
        ("keras:imagenet", "unknown-application"),
    ],
)
def test_each_wrong_source_has_its_own_error(
    name: str, code: str, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for suffix in ("npz", "h5", "weights.h5", "keras"):
        (tmp_path / f"x.{suffix}").write_text("something else")
    model = archspec.load(page).build()
    assert unchanged(model, lambda: load_weights(model, name)).diagnostics[0].code == code


def test_a_failing_download_is_said(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*arguments: Any, **named: Any) -> Any:
        raise Exception("URL fetch failure on https://example.org/resnet50.h5: None -- Name or service not known")

    for module in ("resnet", "vgg16"):
        monkeypatch.setattr(f"keras.src.applications.{module}.file_utils.get_file", offline)
    model = archspec.load(page).build()
    error = unchanged(model, lambda: load_weights(model, "keras:vgg16"))
    assert error.diagnostics[0].code == "download"
    assert "Name or service not known" in str(error)
    assert "download the file elsewhere" in str(error)
