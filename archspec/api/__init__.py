"""The public API: everything that the command line does, by the same names. The package `archspec` exports it.

It may import every other package but the command line. Whatever needs Keras or TensorFlow is imported inside the
functions that need it.
"""

from __future__ import annotations

from archspec.api.analysis import DiffFormat, PlanFormat, SummaryFormat, accelerators, diff, plan, schema, summarize
from archspec.api.data import Preview, check_data, data_sources, preview_data
from archspec.api.evaluation import (
    EvaluationFormat,
    Evaluations,
    Split,
    evaluate,
    evaluate_all,
    evaluation_protocols,
    predict,
)
from archspec.api.models import (
    DENSE_OUTPUTS,
    DenseOutput,
    FullyConvolutional,
    convolutionalize,
    convolutionalize_spec,
    export,
    export_formats,
    from_keras,
    is_model,
    load_weights,
)
from archspec.api.network import ModelFile, Network, Setting, build, check, load, networks
from archspec.api.outputs import check_output, write_text
from archspec.api.spec_files import families, read_spec, recipes, split_reference
from archspec.api.training import find_cluster, resume, train
from archspec.lang.spec.overrides import parse_settings, recipe_setting

__all__ = [
    "DENSE_OUTPUTS",
    "DenseOutput",
    "DiffFormat",
    "EvaluationFormat",
    "Evaluations",
    "FullyConvolutional",
    "ModelFile",
    "Network",
    "PlanFormat",
    "Preview",
    "Setting",
    "Split",
    "SummaryFormat",
    "accelerators",
    "build",
    "check",
    "check_data",
    "check_output",
    "convolutionalize",
    "convolutionalize_spec",
    "data_sources",
    "diff",
    "evaluate",
    "evaluate_all",
    "evaluation_protocols",
    "export",
    "export_formats",
    "families",
    "find_cluster",
    "from_keras",
    "is_model",
    "load",
    "load_weights",
    "networks",
    "parse_settings",
    "plan",
    "predict",
    "preview_data",
    "read_spec",
    "recipe_setting",
    "recipes",
    "resume",
    "schema",
    "split_reference",
    "summarize",
    "train",
    "write_text",
]
