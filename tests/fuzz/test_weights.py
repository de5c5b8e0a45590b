"""A few hundred hostile weight files break no promise; `pytest -m slow` examines model files and TensorFlow, too."""

from tests.fuzz.test_fuzz import fuzz

STATIC = ("torch", "pickle", "safetensors", "hdf5-weights")


def test_hostile_weight_files_end_in_an_error_of_archspec_in_bounded_time() -> None:
    result = fuzz("--cases", "300", "--seed", "0", *(f"--family={name}" for name in STATIC))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "300 cases" in result.stdout
