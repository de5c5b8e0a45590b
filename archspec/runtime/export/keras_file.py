"""The `.keras` file: the network for programs that have Keras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.declare import declared
from archspec.runtime.export.export_format import ExportFormat, Signature, WriteOptions

if TYPE_CHECKING:
    from archspec.runtime.export.network import ExportedNetwork


@declared
class KerasFile(ExportFormat):
    """A numbered folder with a `.keras` file, for programs with Keras 3 on any backend.

    It takes and returns what the trained model does: preprocessed float images, or a list of inputs. With --outputs it
    returns a list: the probabilities, then the outputs of these layers. archspec's description of the network travels
    in the file.
    """

    name = "keras"
    file = "model.keras"
    precisions = ("float32", "float16", "bfloat16")
    runner = Path(__file__).parent / "runners" / "keras_file.py"

    def write(self, network: ExportedNetwork, folder: Path, options: WriteOptions) -> Mapping[str, Signature]:
        """Write the model without auxiliary outputs, optimizer and training configuration."""
        from archspec.runtime.export.variants import at_precision
        from archspec.runtime.models.model_file import save_model

        if options.precision != "float32":
            network = at_precision(network, options.precision)
        metadata = network.named_metadata
        if network.graph is not None:  # no longer that of the spec; export.json keeps the spec
            metadata = replace(metadata, spec=None)
        save_model(network.whole, folder / self.file, metadata)
        return {"serving_default": self.main_signature(network)}

    def usage(self, folder: Path, signatures: Mapping[str, Signature]) -> str:
        """How to load the export, in one line."""
        return f'in Python: keras.saving.load_model("{folder / self.file}")'
