"""Weights of PyTorch that are stored in parts: by pruning, weight normalization, spectral normalization or LoRA."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.runtime.weights.matching import Unit

PARTS = {
    "weight_mask": "call `torch.nn.utils.prune.remove(module, 'weight')` for each module",
    "weight_g": "call `torch.nn.utils.remove_weight_norm(module)` for each module",
    "weight_u": "call `torch.nn.utils.remove_spectral_norm(module)` for each module",
    "parametrizations": "call `torch.nn.utils.parametrize.remove_parametrizations(module, 'weight')` for each module",
    "lora_A": "call `merge_and_unload()` of the model",
}
"""A word in the name of a part -> what joins the parts in PyTorch."""


def factored(units: Sequence[Unit]) -> str | None:
    """The remedy for a file with weights in parts; None for other files."""
    for unit in units:
        for word in unit.name.split("."):
            if word in PARTS:
                return (
                    f"`{unit.name}` is one part of a weight: in PyTorch, {PARTS[word]}, and save the state dict again"
                )
    return None
