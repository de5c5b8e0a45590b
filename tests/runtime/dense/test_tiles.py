"""Images of any size: too small, too large, in tiles, and what memory they take."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from archspec.diagnostics import ArchspecError
from archspec.graph.compile.inference import at_size
from archspec.graph.rewrite.fully_convolutional import convolutionalize
from archspec.graph.rewrite.tiling import Reach, peak_bytes, reaches, tiles
from archspec.runtime.dense.scorer import DenseScorer
from archspec.runtime.models.build import build_model
from archspec.runtime.system.memory import free_memory
from tests.runtime.dense.nets import Net, graph, nets
from tests.runtime.weights.random_weights import randomize


@given(
    st.builds(Reach, st.integers(1, 40), st.integers(1, 8), st.integers(-20, 0)),
    st.integers(1, 30),
    st.integers(1, 80),
    st.integers(0, 7),
)
@example(Reach(1, 2, -2), 3, 1, 1)  # the last position sees padding only
def test_tiles_cover_every_position_once_with_all_that_it_sees(
    reach: Reach, positions: int, longest: int, rest: int
) -> None:
    size = max(1, (positions - 1) * reach.stride + reach.size + 2 * reach.offset + rest)
    try:
        found = tiles(size, positions, reach, longest)
    except ArchspecError:
        assert longest < reach.size + 2 * reach.stride  # one position, wherever the grid of the stride has it
        return
    assert [tile.first for tile in found] == [0, *(tile.last for tile in found[:-1])]
    assert found[-1].last == positions
    for tile in found:
        assert tile.start % reach.stride == 0
        assert tile.start + (tile.skip - tile.first) * reach.stride == 0  # skip in the tile is first in the image
        assert 0 <= tile.start < tile.stop <= size
        assert tile.stop - tile.start <= longest
        for position in range(tile.first, tile.last):
            begins = position * reach.stride + reach.offset
            assert begins >= tile.start or tile.start == 0
            assert begins + reach.size <= tile.stop or tile.stop == size


@settings(
    max_examples=30,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(nets(even=True), st.booleans(), st.tuples(st.integers(0, 40), st.integers(0, 40)), st.floats(0.2, 0.9))
def test_a_map_in_tiles_is_that_of_the_whole_image(net: Net, padded: bool, more: tuple[int, int], share: float) -> None:
    trained = tuple(end * net.stride for end in net.end) if padded else net.size()
    spec = graph(net.spec(trained, padded=padded))
    model = randomize(build_model(spec))
    sides = [side + extra for side, extra in zip(trained, more, strict=True)]
    x = np.random.default_rng(2).normal(size=(2, *sides, 2)).astype("float32")
    scorer = DenseScorer.of(model, graph=spec)
    whole = scorer(x)
    needed = 2 * peak_bytes(at_size(scorer.graph, (*sides, 2)))
    np.testing.assert_allclose(replace(scorer, memory=needed)(x), whole, atol=1e-6)  # one by one
    little = replace(scorer, memory=int(needed * share))
    try:
        tiled = little(x)
    except ArchspecError:
        return  # refused; when and how, the tests below say
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


CONV = "name: net\ninput: [12, 12, 2]\nlayers:\n  - conv: {filters: 4, kernel_size: 3}\n  - relu\n  - maxpool\n"
END = "  - flatten\n  - dense: 3\n"


def test_tiles_are_really_used_and_the_memory_is_kept() -> None:
    spec = graph(CONV + END)
    scorer = DenseScorer.of(randomize(build_model(spec)), graph=spec, memory=60_000)
    seen = []
    run = DenseScorer._run

    class Watched(DenseScorer):
        def _run(self, images: np.ndarray) -> np.ndarray:
            seen.append(images.shape)
            return run(self, images)

    watched = Watched(scorer.model, scorer.graph, scorer.window, scorer.effects, scorer.memory)
    x = np.zeros((1, 100, 90, 2), np.float32)
    assert watched(x).shape == (1, 45, 40, 3)  # 100 -> 98 -> 49, 49 - 5 + 1
    assert len(seen) > 1
    assert all(2 * peak_bytes(at_size(scorer.graph, shape[1:])) <= 60_000 for shape in seen)


def test_an_image_smaller_than_the_window_is_refused_or_padded() -> None:
    spec = graph(CONV + END)
    model = randomize(build_model(spec))
    scorer = DenseScorer.of(model, graph=spec)
    x = np.random.default_rng(0).normal(size=(2, 9, 15, 2)).astype("float32")
    with pytest.raises(
        ArchspecError, match="an image of 9x15 is too small for `net-dense`, which needs at least 12x12"
    ):
        scorer(x)
    padded = np.pad(x, ((0, 0), (1, 2), (0, 0), (0, 0)))
    np.testing.assert_array_equal(scorer(x, small="pad"), scorer(padded))
    assert scorer(padded).shape == (2, 1, 2, 3)  # 15 -> 13 -> 6, 6 - 5 + 1


@pytest.mark.parametrize("gate", ["{x: [], gate: [global_avgpool: {keepdims: true}, sigmoid]}"])
def test_a_network_that_sees_the_whole_image_is_not_cut_into_tiles(gate: str) -> None:
    spec = graph(f"{CONV}  - multiply: {gate}\n{END}")
    scorer = DenseScorer.of(randomize(build_model(spec)), graph=spec, memory=20_000)
    with pytest.raises(ArchspecError, match="cannot be applied in tiles") as error:
        scorer(np.zeros((1, 100, 100, 2), np.float32))
    assert error.value.diagnostics[0].code == "image-too-large"
    assert "whole-image" in error.value.diagnostics[0].notes[0]


def test_a_tile_that_holds_no_position_is_refused() -> None:
    spec = graph(CONV + END)
    scorer = DenseScorer.of(randomize(build_model(spec)), graph=spec, memory=2_000)
    with pytest.raises(ArchspecError, match=r"needs .* of memory, and the limit is 2.0 kB") as error:
        scorer(np.zeros((1, 100, 100, 2), np.float32))
    assert "each position of the score map sees 12" in error.value.diagnostics[0].notes[0]


def test_the_reach_and_the_peak_of_memory_by_hand() -> None:
    """3x3 then pooling by 2: (5 - 1) 2 + 2 + 2 = 12 pixels. At 100: the input and the map of 98 x 98 x 4 are alive,
    then this map twice for relu, which is the most."""
    dense = convolutionalize(graph(CONV + END))
    assert reaches(dense) == (Reach(12, 2, 0),) * 2
    assert peak_bytes(at_size(dense, (100, 100, 2))) == 2 * 98 * 98 * 4 * 4
    assert free_memory() > 1e6
