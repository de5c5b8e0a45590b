"""Training memory by hand on a network of a few numbers; the plan adds up, and the optimizers keep what Keras keeps."""

import pytest

from archspec.diagnostics import Source
from archspec.format import parse_bytes
from archspec.graph.analysis.training_memory import FLOAT32, Precision, largest_batch, training_memory
from archspec.graph.analysis.training_plan import DEVICES, Device, exchanged_bytes, plan, training_step
from archspec.graph.compile.compiler import compile_spec
from archspec.lang.spec.spec import parse

SPEC = """
name: small
input: [6, 5, 3]
layers:
  - {conv: {filters: 4, kernel_size: 3, padding: same}}
  - bn
  - relu
  - flatten
  - dense: 2
"""
GRAPH = compile_spec(parse(Source("small.yaml", SPEC)))
CONV, BN, DENSE = 3 * 3 * 3 * 4 + 4, 2 * 4, 6 * 5 * 4 * 2 + 2


def test_weights_optimizer_and_what_the_forward_pass_leaves_by_hand() -> None:
    found = training_memory(GRAPH, 7, slots=2)
    assert found is not None
    trainable = CONV + BN + DENSE
    assert found.weights == 4 * (trainable + 2 * 4)  # the moving statistics are no one's to train
    assert found.optimizer == 4 * 2 * trainable
    # the convolution reads the images, bn the convolution, and relu's output is also what dense reads, flattened
    assert found.activations == 4 * 7 * (6 * 5 * 3 + 6 * 5 * 4 + 6 * 5 * 4)


def test_the_peak_is_where_bn_holds_its_temporaries() -> None:
    found = training_memory(GRAPH, 7)
    assert found is not None
    each = 4 * 7 * 6 * 5 * 4  # bytes of one map of the convolution
    # behind bn nothing is let go but relu's output; there are its gradient, that of its input and two of its own
    at_bn = -each + each + each + 2 * each + 3 * 4 * (DENSE + BN)  # the updates so far
    at_dense = 4 * 7 * 2 + each + 3 * 4 * DENSE
    at_conv = -2 * each + each + 3 * 4 * (DENSE + BN + CONV)
    assert found.backward == max(at_bn, at_dense, at_conv)


def test_the_updates_of_all_weights_are_there_at_the_end() -> None:
    """Where maps are small: at the first layer, whose own input has no gradient."""
    wide = compile_spec(parse(Source("wide.yaml", "name: wide\ninput: [10]\nlayers:\n  - dense: 20\n  - dense: 30\n")))
    found = training_memory(wide, 1)
    assert found is not None
    first, second = 10 * 20 + 20, 20 * 30 + 30
    # of the maps, the first layer reads the input, and the gradient of its output is there; the second's input is gone
    assert found.backward == 4 * (-20 + 20 + 3 * (first + second))


def test_half_precision_halves_the_maps_and_keeps_a_copy_of_the_weights() -> None:
    whole, half = (training_memory(GRAPH, 7, precision=each) for each in (FLOAT32, Precision("mixed_bfloat16")))
    assert whole is not None
    assert half is not None
    assert half.activations * 2 == whole.activations
    assert half.weights == whole.weights + 2 * (CONV + BN + DENSE)


@pytest.mark.parametrize("memory", [3e4, 1e6, 3.7e7])
def test_the_largest_batch_fits_and_one_more_does_not(memory: float) -> None:
    images = largest_batch(GRAPH, memory)
    fitting, beyond = training_memory(GRAPH, images), training_memory(GRAPH, images + 1)
    assert fitting is not None
    assert beyond is not None
    assert fitting.total <= memory < beyond.total


def test_nothing_fits_into_less_than_the_weights() -> None:
    assert largest_batch(GRAPH, 1000) == 0


def test_a_ring_sends_twice_the_gradients_but_for_its_own_share() -> None:
    assert exchanged_bytes(GRAPH, 1) == 0
    assert exchanged_bytes(GRAPH, 4) == round(2 * 3 / 4 * 4 * (CONV + BN + DENSE))


def test_a_layer_takes_as_long_as_the_slower_of_arithmetic_and_traffic() -> None:
    macs = 6 * 5 * 4 * 27 + DENSE - 2
    slow_arithmetic = Device("x", 1e9, 1e3, 1e3, 1e18, 1e18)
    step = training_step(GRAPH, 7, slow_arithmetic)
    first = 2 * 2 * 7 * (6 * 5 * 4 * 27)  # no gradient with respect to the images
    assert step.layers == pytest.approx((first + 3 * 2 * 7 * (DENSE - 2)) / 1e3)
    assert macs == GRAPH.macs
    slow_memory = Device("y", 1e9, 1e18, 1e18, 1e3, 1e18)
    map_, flat = 6 * 5 * 4, 6 * 5 * 4
    read = [90 + map_, 2 * map_, 2 * map_, 2 * flat, flat + 2]
    weights = CONV + (BN + 8) + DENSE
    assert training_step(GRAPH, 7, slow_memory).layers == pytest.approx(3 * 4 * (7 * sum(read) + weights) / 1e3)


def test_the_device_with_the_most_images_decides() -> None:
    found = plan(GRAPH, 10, 4, device=DEVICES["h100"])
    assert found is not None
    assert found.step is not None
    assert (found.images, found.available, found.fits) == (3, 80e9, True)
    assert found.images_per_second == pytest.approx(10 / found.step.seconds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80GB", 80e9),
        ("24 GiB", 24 * 2**30),
        ("512mb", 512e6),
        ("100", 100),
        ("1.5T", 1.5e12),
        ("2QB", None),
        ("", None),
    ],
)
def test_sizes_of_memory(text: str, expected: float | None) -> None:
    assert parse_bytes(text) == expected
