"""The public API: everything that the command line does, by the same names. The package `archspec` exports it.

It may import every other package but the command line. Whatever needs Keras or TensorFlow is imported inside the
functions that need it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.api.analysis import accelerators, diff, plan, schema, summarize
    from archspec.api.choices import (
        ComparisonFormat,
        DenseOutput,
        DiffFormat,
        Direction,
        DrawingStyle,
        EvaluationFormat,
        Figure,
        PictureFormat,
        PlanFormat,
        PredictionFormat,
        SummaryFormat,
    )
    from archspec.api.comparison import check_comparison_folder, compare
    from archspec.api.data import Preview, check_data, data_sources, preview_data
    from archspec.api.drawing import draw, drawing_styles, drawing_suffixes
    from archspec.api.evaluation import (
        Evaluations,
        evaluate,
        evaluate_all,
        evaluation_protocols,
        predict,
        predictions_text,
    )
    from archspec.api.explanation import ExplainMethodSummary, check_explanation_folder, explain, explain_methods
    from archspec.api.exports import export, export_all, export_formats
    from archspec.api.labs import LabBook, LabScaleName, LabSummary, lab, lab_book, list_labs
    from archspec.api.models import (
        FullyConvolutional,
        convolutionalize,
        convolutionalize_spec,
        deepen,
        from_keras,
        is_model,
        load_weights,
        optimize,
        use_custom,
    )
    from archspec.api.network import ModelFile, Network, Setting
    from archspec.api.outputs import check_output, write_text
    from archspec.api.references import build, check, load, networks
    from archspec.api.run_report import check_report_file, report
    from archspec.api.serving import serve
    from archspec.api.spec_files import families, read_spec, recipes, split_reference
    from archspec.api.training import find_cluster, resume, train
    from archspec.lang.spec.overrides import parse_settings, recipe_setting

__all__ = [
    "ComparisonFormat",
    "DenseOutput",
    "DiffFormat",
    "Direction",
    "DrawingStyle",
    "EvaluationFormat",
    "Evaluations",
    "ExplainMethodSummary",
    "ExportPrecision",
    "Figure",
    "FullyConvolutional",
    "LabBook",
    "LabScaleName",
    "LabSummary",
    "ModelFile",
    "Network",
    "PictureFormat",
    "PlanFormat",
    "PredictionFormat",
    "Preview",
    "Setting",
    "SummaryFormat",
    "accelerators",
    "build",
    "check",
    "check_comparison_folder",
    "check_data",
    "check_explanation_folder",
    "check_output",
    "check_report_file",
    "compare",
    "convolutionalize",
    "convolutionalize_spec",
    "data_sources",
    "deepen",
    "diff",
    "draw",
    "drawing_styles",
    "drawing_suffixes",
    "evaluate",
    "evaluate_all",
    "evaluation_protocols",
    "explain",
    "explain_methods",
    "export",
    "export_all",
    "export_formats",
    "families",
    "find_cluster",
    "from_keras",
    "is_model",
    "lab",
    "lab_book",
    "list_labs",
    "load",
    "load_weights",
    "networks",
    "optimize",
    "parse_settings",
    "plan",
    "predict",
    "predictions_text",
    "preview_data",
    "read_spec",
    "recipe_setting",
    "recipes",
    "report",
    "resume",
    "schema",
    "serve",
    "split_reference",
    "summarize",
    "train",
    "use_custom",
    "write_text",
]

_NAMES = {
    "api.analysis": ("accelerators", "diff", "plan", "schema", "summarize"),
    "api.choices": (
        "ComparisonFormat",
        "DenseOutput",
        "DiffFormat",
        "Direction",
        "DrawingStyle",
        "EvaluationFormat",
        "ExportPrecision",
        "Figure",
        "PictureFormat",
        "PlanFormat",
        "PredictionFormat",
        "SummaryFormat",
    ),
    "api.comparison": ("check_comparison_folder", "compare"),
    "api.data": ("Preview", "check_data", "data_sources", "preview_data"),
    "api.drawing": ("draw", "drawing_styles", "drawing_suffixes"),
    "api.evaluation": (
        "Evaluations",
        "evaluate",
        "evaluate_all",
        "evaluation_protocols",
        "predict",
        "predictions_text",
    ),
    "api.explanation": ("ExplainMethodSummary", "check_explanation_folder", "explain", "explain_methods"),
    "api.exports": ("export", "export_all", "export_formats"),
    "api.labs": ("LabBook", "LabScaleName", "LabSummary", "lab", "lab_book", "list_labs"),
    "api.models": (
        "FullyConvolutional",
        "convolutionalize",
        "convolutionalize_spec",
        "deepen",
        "from_keras",
        "is_model",
        "load_weights",
        "optimize",
        "use_custom",
    ),
    "api.network": ("ModelFile", "Network", "Setting"),
    "api.references": ("build", "check", "load", "networks"),
    "api.outputs": ("check_output", "write_text"),
    "api.serving": ("serve",),
    "api.run_report": ("check_report_file", "report"),
    "api.spec_files": ("families", "read_spec", "recipes", "split_reference"),
    "api.training": ("find_cluster", "resume", "train"),
    "lang.spec.overrides": ("parse_settings", "recipe_setting"),
}
"""The modules of archspec that define what this package exports; each is imported when a name of it is first used."""

_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module `archspec.api` has no attribute `{name}`")
    return getattr(import_module(f"archspec.{_MODULES[name]}"), name)
