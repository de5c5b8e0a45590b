"""One recipe in archspec, plain Keras and PyTorch: top-1 of ResNet-20 on a folder of classes, for several seeds.

    TORCH_PYTHON=/path/to/python python benchmarks/recipe_peers.py --data FOLDER [--epochs 30] [--seeds 5]

FOLDER has 32x32 RGB images in train/CLASS/ and val/CLASS/. The recipe: He initialization, batches of 128, SGD at 0.1
with momentum 0.9, weight decay 1e-4 on kernels, a cosine schedule, pad 4 + random crop + flip. The twins are written by
hand and share no code with archspec. The table has the top-1 of the last epoch on the training images, without
augmentation and in inference mode, and on the validation images: mean and 95 % interval over the seeds.

Target: the intervals of archspec and of each twin overlap. --torch-batch-norm gives the PyTorch twin the constants of
PyTorch (momentum 0.1, epsilon 1e-5) instead of those of the spec (0.01 and 1e-3 in its terms).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import archspec
from archspec.runtime.system.processor import name
from archspec.runtime.system.tensorflow_import import import_tensorflow

T_975 = {1: float("nan"), 2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""The 97.5 % quantile of Student's t for a number of seeds."""


# ---- archspec --------------------------------------------------------------------------------------------------------


def ours(folder: str, arrays: Path, epochs: int, seed: int) -> dict[str, float]:
    from archspec.runtime.data.pipeline.preprocess import preprocess_values
    from archspec.runtime.models.model_file import load_model
    from archspec.runtime.training.records.progress import TrainingProgress

    settings: dict[str, Any] = {"train.epochs": epochs, "train.iterations": None, "train.schedule": "cosine"}
    network = archspec.load("resnet-cifar:20", **settings)
    with tempfile.TemporaryDirectory() as out:
        archspec.train(network, folder, out=out, overwrite=True, seed=seed, progress=TrainingProgress(quiet=True))
        model, metadata = load_model(Path(out) / "last.keras")
    tf = import_tensorflow()
    return scores(
        arrays, lambda x: model.predict(preprocess_values(tf, x, (32, 32, 3), metadata.preprocess), verbose=0)
    )


def scores(arrays: Path, predict: Any) -> dict[str, float]:
    with np.load(arrays) as file:
        pairs = {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val")}
        return {part: float(np.mean(predict(file[x]).argmax(-1) == file[y])) for part, (x, y) in pairs.items()}


# ---- plain Keras -----------------------------------------------------------------------------------------------------


def plain_keras(folder: str, arrays: Path, epochs: int, seed: int) -> dict[str, float]:
    """As a Keras user would write it: functional API, `fit`, tf.data."""
    tf = import_tensorflow()
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    with np.load(arrays) as file:
        x, y = file["x_train"], file["y_train"]
    decay = keras.regularizers.L2(0.5e-4)  # of the squared norm: its gradient is 1e-4 times the kernel

    def conv(x: Any, filters: int, strides: int = 1) -> Any:
        x = layers.ZeroPadding2D(1)(x)
        given = {"kernel_initializer": keras.initializers.VarianceScaling(2, distribution="untruncated_normal")}
        x = layers.Conv2D(filters, 3, strides, use_bias=False, kernel_regularizer=decay, **given)(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    h = layers.ReLU()(conv(inputs, 16))
    for filters in (16, 32, 64):
        for unit in range(3):
            strides = 2 if unit == 0 and filters > 16 else 1
            body = conv(layers.ReLU()(conv(h, filters, strides)), filters)
            if strides == 2:
                extra = filters // 4
                h = keras.ops.pad(h[:, ::2, ::2], [[0, 0], [0, 0], [0, 0], [extra, extra]])
            h = layers.ReLU()(layers.add([h, body]))
    head = keras.initializers.VarianceScaling(2, distribution="untruncated_normal")
    h = layers.GlobalAveragePooling2D()(h)
    logits = layers.Dense(int(y.max()) + 1, kernel_initializer=head, kernel_regularizer=decay)(h)
    model = keras.Model(inputs, logits)

    mean, std = tf.constant([125.3, 123.0, 113.9]), tf.constant([63.0, 62.1, 66.7])

    def augment(image: Any, label: Any) -> Any:
        image = tf.image.random_crop(tf.pad(image, [[4, 4], [4, 4], [0, 0]]), (32, 32, 3))
        image = tf.image.random_flip_left_right(image)
        return (tf.cast(image, tf.float32) - mean) / std, label

    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x)).map(augment).batch(128).prefetch(2)
    rate = keras.optimizers.schedules.CosineDecay(0.1, epochs * math.ceil(len(x) / 128))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), loss, jit_compile=False)
    model.fit(data, epochs=epochs, verbose=0)
    return scores(arrays, lambda x: model.predict((tf.cast(x, tf.float32) - mean) / std, verbose=0, batch_size=500))


# ---- the comparison --------------------------------------------------------------------------------------------------

WORKERS = {"archspec": ours, "Keras": plain_keras}


def read_images(folder: Path, path: Path) -> None:
    """Write the images of both parts to an .npz file, so that all peers see the same pixels."""
    tf = import_tensorflow()
    arrays: dict[str, Any] = {}
    for part in ("train", "val"):
        classes = sorted(each.name for each in (folder / part).iterdir() if each.is_dir())
        files = [
            (file, label) for label, each in enumerate(classes) for file in sorted((folder / part / each).iterdir())
        ]
        decoded = [tf.io.decode_image(file.read_bytes(), 3, expand_animations=False).numpy() for file, _ in files]
        arrays[f"x_{part}"], arrays[f"y_{part}"] = np.stack(decoded), np.array([label for _, label in files])
    np.savez(path, **arrays)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half of the 95 % interval, in percent."""
    spread = statistics.stdev(values) if len(values) > 1 else float("nan")
    return 100 * statistics.mean(values), 100 * T_975.get(len(values), 1.96) * spread / math.sqrt(len(values))


def run(command: Sequence[str]) -> dict[str, float]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="A recipe beside twins in Keras and PyTorch.")
    parser.add_argument("--data", type=Path, required=True, help="a folder with train/CLASS/ and val/CLASS/")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--torch-batch-norm", action="store_true")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        which, arrays, seed = options.worker
        print(json.dumps(WORKERS[which](str(options.data), Path(arrays), options.epochs, int(seed))))
        return 0
    found: dict[str, list[dict[str, float]]] = {which: [] for which in WORKERS}
    python = os.environ.get("TORCH_PYTHON")
    if python:
        found["PyTorch"] = []
    else:
        print("without PyTorch: TORCH_PYTHON can name an interpreter that has torch")
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "images.npz"
        read_images(options.data, arrays)
        for seed in range(options.seeds):
            for which in found:
                if which == "PyTorch":
                    constants = [0.1, 1e-5] if options.torch_batch_norm else [0.01, 1e-3]
                    given = {"data": str(arrays), "epochs": options.epochs, "seed": seed, "batch_norm": constants}
                    command = [str(python), str(Path(__file__).with_name("torch_recipe.py")), json.dumps(given)]
                else:
                    own = ["--data", str(options.data), "--epochs", str(options.epochs)]
                    command = [sys.executable, __file__, *own, "--worker", which, str(arrays), str(seed)]
                found[which].append(run(command))
                print(f"seed {seed}, {which}: {found[which][-1]}", file=sys.stderr)
    print(f"ResNet-20, {options.epochs} epochs, {options.seeds} seeds, {name()}; top-1 in percent")
    print(f"{'':10} {'training':>16} {'validation':>16}")
    table = {
        which: {part: interval([each[part] for each in runs]) for part in ("train", "validation")}
        for which, runs in found.items()
    }
    for which, row in table.items():
        cells = [f"{mean:8.2f} ± {half:5.2f}" for mean, half in row.values()]
        print(f"{which:10} {cells[0]:>16} {cells[1]:>16}")
    apart = [
        (which, part)
        for which, row in table.items()
        for part, (mean, half) in row.items()
        if abs(mean - table["archspec"][part][0]) > half + table["archspec"][part][1]
    ]
    for which, part in apart:
        print(f"{which} differs on the {part} images")
    return 1 if apart else 0


if __name__ == "__main__":
    sys.exit(main())
