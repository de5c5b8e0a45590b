"""The outputs of `archspec evaluate`: the folder of reports and the saved predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archspec.diagnostics import fail
from archspec.runtime.data.images import Report
from archspec.runtime.evaluation.predictions import Predictions, numbered, write_predictions
from archspec.runtime.evaluation.report_files import write_evaluation, write_evaluations
from archspec.runtime.evaluation.result import Evaluation
from archspec.runtime.system.atomic_write import check_output_folder, check_writable
from archspec.runtime.system.output_set import interrupted_outputs, output_set

REPORTS = "**/evaluation.json"
"""A file that every folder of reports has."""


@dataclass(frozen=True)
class EvaluationOutputs:
    """Where the reports and the predictions of an evaluation are written; None for nothing.

    All of them get their names together: when the process is killed, the same command can be given again.
    """

    directory: Path | None = None
    """A new or empty folder."""
    predictions: Path | None = None
    """An `.npz`; several are NAME-1.npz, NAME-2.npz, ..."""
    overwrite: bool = False
    """Replace what an earlier evaluation wrote."""

    def check(self) -> None:
        """Check before the evaluation that the outputs can be written. Changes nothing.

        Raises:
            ArchspecError: `bad-output` for a name that does not end in .npz, `output-exists`, `cannot-write`.
        """
        if self.predictions is not None:
            _check_name(self.predictions)
            names = [self.predictions, *numbered(self.predictions, 2)[:1]]
            taken = [name for name in names if name.exists() and not self._replaces(name)]
            if taken:
                raise fail("output-exists", f"`{taken[0]}` exists", help="give another name, or `--overwrite`")
            check_writable(self.predictions)
        if self.directory is not None:
            check_output_folder(self.directory, overwrite=self._replaces(self.directory), mark=REPORTS)

    def write(self, evaluations: Sequence[Evaluation], saved: Sequence[Predictions], report: Report) -> None:
        """Write the reports of the evaluations, and the predictions `saved`.

        Raises:
            ArchspecError: `cannot-write`.
        """
        files = numbered(self.predictions, len(saved)) if self.predictions is not None else []
        folders = [] if self.directory is None else [self.directory]
        if not files and not folders:
            return
        with output_set([*files, *folders]) as temporaries:
            for path, row in zip(temporaries[: len(files)], saved, strict=False):
                write_predictions(path, row)
            for path in temporaries[len(files) :]:
                if len(evaluations) == 1:
                    write_evaluation(evaluations[0], path)
                else:
                    write_evaluations(evaluations, path)
        for file, row in zip(files, saved, strict=False):
            report(f"wrote {file}: {' + '.join(row.models)}, {' + '.join(row.protocols)}")

    def _replaces(self, path: Path) -> bool:
        """Whether an existing output may be replaced."""
        if self.overwrite:
            return True
        folders = [] if self.directory is None else [self.directory]
        if self.predictions is None:
            return False
        tries = ([self.predictions, *folders], [*numbered(self.predictions, 2), *folders])
        return any(path in interrupted_outputs(each) for each in tries)


NO_OUTPUTS = EvaluationOutputs()


def _check_name(path: Path) -> None:
    """Raises ArchspecError (`bad-output`) for a name that does not end in .npz."""
    if path.suffix != ".npz":
        raise fail("bad-output", f"the name `{path}` does not end in `.npz`", help=f"write `{path}.npz`")
