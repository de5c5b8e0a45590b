"""Write the files of this folder with Keras 2: `pip install tf-keras==2.21.0`, then run this script.

The files are those of `model.save` of Keras 2, and expected.npz has the outputs of Keras 2 for them.
"""

import os
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras as keras  # type: ignore[import-not-found]

HERE = Path(__file__).parent
layers = keras.layers


def body(x: Any) -> Any:
    x = layers.Conv2D(2, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Activation("relu", name="act")(x)
    # two convolutions of the same shape: their weights must not be exchanged
    x = layers.Subtract(name="minus")([layers.Conv2D(2, 1, name="z")(x), layers.Conv2D(2, 1, name="a")(x)])
    x = layers.DepthwiseConv2D(3, name="dw")(x)
    x = layers.Conv2DTranspose(2, 2, strides=2, name="up")(x)
    x = layers.LeakyReLU(0.1, name="leaky")(x)
    x = layers.ReLU(6.0, name="relu6")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return layers.Dense(3, activation="softmax", name="fc")(x)


def functional() -> Any:
    x = entry = keras.Input((6, 6, 3), name="image")
    return keras.Model(entry, body(layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(x)), name="functional")


def lambdas() -> Any:
    x = entry = keras.Input((6, 6, 3), name="image")
    x = keras.applications.resnet50.preprocess_input(x)
    x = tf.nn.relu6(layers.Conv2D(2, 3, name="stem")(x) * 0.01) / 6.0 + 1.0
    return keras.Model(entry, layers.Dense(2, name="fc")(layers.Flatten(name="flat")(x)), name="lambdas")


def nested() -> Any:
    frozen = layers.BatchNormalization(name="bn", trainable=False)
    base = keras.Sequential([layers.Conv2D(2, 3, input_shape=(6, 6, 3), name="stem"), frozen], name="base")
    x = entry = keras.Input((6, 6, 3), name="image")
    x = base(layers.RandomFlip("horizontal", name="flip")(x))
    return keras.Model(entry, layers.Dense(2, name="fc")(layers.Flatten(name="flat")(x)), name="nested")


def main() -> None:
    random = np.random.default_rng(0)
    x = random.uniform(0, 255, (2, 6, 6, 3)).astype("float32")
    expected: dict[str, Any] = {"x": x}
    for make in (functional, lambdas, nested):
        model = make()
        for weight in model.weights:
            weight.assign(random.uniform(0.1, 1, weight.shape))
        name = make.__name__
        model.save(HERE / f"{name}.h5", include_optimizer=False)
        if name != "lambdas":  # Keras 2 cannot write an Ellipsis to a .keras file
            model.save(HERE / f"{name}.keras", save_format="keras")
        expected[name] = model.predict(x, verbose=0)
    model.save_weights(HERE / "nested_weights.h5")
    np.savez(HERE / "expected.npz", **expected)


if __name__ == "__main__":
    main()
