"""The example notebooks run from start to end, and networks, curves and matrices show themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


def test_a_network_shows_its_summary_and_its_drawing() -> None:
    shown = archspec.load("lenet:5")._repr_html_()
    assert "<svg" in shown
    assert "params" in shown
    assert "global" not in shown


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel's packages
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    book = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in book.cells)  # outputs are not kept in the repository
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    kinds = [set(output.get("data", ())) for cell in book.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in each for each in kinds) == 2  # curves and confusion matrix
    assert sum("image/svg+xml" in each for each in kinds) == 1
    assert sum("text/html" in each for each in kinds) >= 2
    text = "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", ()))
    assert "starting TensorFlow" not in text
    assert "Grad-CAM" not in text
