"""The layers as JSON beside the weights, as an export format."""

from collections.abc import Mapping
from pathlib import Path

from archspec.declare import declared
from archspec.runtime.export.export_format import ExportFormat, Signature, WriteOptions
from archspec.runtime.export.network import ExportedNetwork


@declared
class KerasJson(ExportFormat):
    """A numbered folder with model.json and model.weights.h5, for programs with Keras.

    It takes preprocessed float images, as the trained model does.
    """

    name = "keras-json"
    file = "model.json"
    runner = Path(__file__).parent / "run_keras_json.py"

    def write(self, network: ExportedNetwork, folder: Path, options: WriteOptions) -> Mapping[str, Signature]:
        import keras

        features = () if network.features is None else network.features.outputs  # of the layers in --outputs
        model = keras.Model(network.model.inputs, [*network.model.outputs, *features])
        (folder / self.file).write_text(model.to_json(), encoding="utf-8")
        model.save_weights(folder / "model.weights.h5")
        return {"serving_default": self.main_signature(network)}
