"""How long a run is, its learning rates step by step, and what a spec's recipe may say: no Keras."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec import api
from archspec.diagnostics import ArchspecError, render
from archspec.lang.recipes.monitor import EarlyStopping
from archspec.lang.recipes.optimizers import Sgd
from archspec.lang.recipes.recipe import ONE_KEY, Recipe
from archspec.lang.recipes.schedules import CosineSchedule, PlateauSchedule, StepSchedule, Warmup
from archspec.lang.spec.overrides import parse_settings
from archspec.ops import OPS
from archspec.runtime.training.optimization.lr_schedule import LearningRateSchedule, check_monitors, history_columns
from archspec.targets import TARGETS, OutputTarget, OutputTargets
from archspec.transforms import TRANSFORMS

SPEC = "name: net\ninput: [8, 8, 1]\nparams: {classes: 10}\nlayers: [flatten, dense: $classes, softmax]\n"


def load(tmp_path: Path, train: str = "", *texts: str) -> api.Network:
    (tmp_path / "net.yaml").write_text(SPEC + (f"train:\n{train}" if train else ""), encoding="utf-8")
    return api.load(str(tmp_path / "net.yaml"), **parse_settings(texts))


def rates(recipe: Recipe, images: int) -> list[float]:
    length = recipe.length(images)
    course = LearningRateSchedule(recipe, length)
    return [course.at(step) for step in range(length.steps)]


def test_no_two_heads_have_one_name() -> None:
    """A path in an error finds the declaration by its name alone."""
    families = [*ONE_KEY.values(), {**TRANSFORMS, **OPS}]
    assert len({name for family in families for name in family}) == sum(map(len, families))


def test_steps_drop_at_epochs_or_at_updates() -> None:
    sgd = Sgd(learning_rate=0.5)
    stepped = Recipe(epochs=4, batch_size=10, optimizer=sgd, schedule=StepSchedule((1, 3), 0.1))
    assert rates(stepped, 20) == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.05, 0.05, 0.005, 0.005])
    counted = Recipe(iterations=5, batch_size=10, optimizer=sgd, schedule=StepSchedule(None, 0.1, (2, 3)))
    assert rates(counted, 20) == pytest.approx([0.5, 0.5, 0.05, 0.005, 0.005])


def test_a_cosine_begins_after_the_warm_up() -> None:
    """Goyal et al. 2017, section 2.2: a straight line up; then half a cosine over the rest."""
    recipe = Recipe(
        epochs=4, batch_size=10, optimizer=Sgd(learning_rate=0.5), schedule=CosineSchedule(), warmup=Warmup(1)
    )
    found = rates(recipe, 20)
    assert found[:3] == pytest.approx([0, 0.25, 0.5])
    assert found[5] == pytest.approx(0.25)  # half of the way down


def test_the_warm_up_of_the_110_layer_network() -> None:
    """He et al. 2015, section 4.2: 0.01 for about 400 iterations, then 0.1; divided by 10 at 32k and 48k of 64k."""
    recipe = api.load("resnet-cifar:110").recipe
    length = recipe.length(50_000)
    course = LearningRateSchedule(recipe, length)
    found = [course.at(step) for step in (0, 399, 400, 31_999, 32_000, 47_999, 48_000, 63_999)]
    assert found == pytest.approx([0.01, 0.01, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert length.iterations == length.steps == 64_000
    assert api.load("resnet-cifar:56").recipe.warmup == Warmup(iterations=0, factor=0.1, kind="constant")


def test_rates_scale_with_the_images_of_an_update() -> None:
    """Goyal et al. 2017, section 2.1: k times the batch, k times the rate."""
    base = {"base_batch_size": 256, "epochs": 1}
    recipe = Recipe(batch_size=1024, optimizer=Sgd(learning_rate=0.1), **base)
    assert rates(recipe, 1024) == pytest.approx([0.4])
    accumulated = Recipe(batch_size=256, optimizer=Sgd(learning_rate=0.1, gradient_accumulation_steps=4), **base)
    assert rates(accumulated, 1024) == pytest.approx([0.4] * 4)


@given(st.integers(1, 200), st.integers(1, 50), st.integers(1, 5), st.integers(1, 60))
def test_a_run_of_so_many_iterations_updates_so_often(images: int, batch: int, every: int, iterations: int) -> None:
    optimizer = Sgd(gradient_accumulation_steps=every if every > 1 else None)
    recipe = Recipe(iterations=iterations, batch_size=batch, optimizer=optimizer)
    length = recipe.length(images)
    updates = [step for step in range(length.steps) if length.updates(step, every)]
    assert len(updates) == iterations
    assert updates[-1] == length.steps - 1  # no gradient is left over
    assert [length.iteration(step, every) for step in updates] == list(range(iterations))
    assert (length.epochs - 1) * length.steps_per_epoch < length.steps <= length.epochs * length.steps_per_epoch
    assert length.steps_per_epoch == -(-images // batch)


@given(st.integers(1, 200), st.integers(1, 50), st.integers(1, 5), st.integers(1, 9))
def test_epochs_are_as_many_iterations(images: int, batch: int, every: int, epochs: int) -> None:
    optimizer = Sgd(gradient_accumulation_steps=every if every > 1 else None)
    by_epochs = Recipe(epochs=epochs, batch_size=batch, optimizer=optimizer).length(images)
    by_iterations = Recipe(iterations=by_epochs.iterations, batch_size=batch, optimizer=optimizer).length(images)
    assert by_epochs == by_iterations
    assert by_epochs.epochs == epochs


def test_a_setting_of_epochs_replaces_iterations(tmp_path: Path) -> None:
    given_ = "  iterations: 64000\n  schedule: {step: {iterations: [32000]}}\n"
    recipe = load(tmp_path, given_, "train.epochs=3", "train.schedule.step.epochs=[1, 2]").recipe
    assert (recipe.epochs, recipe.iterations) == (3, None)
    assert vars(recipe.schedule) == {"epochs": (1, 2), "gamma": 0.1, "iterations": None}
    with pytest.raises(ArchspecError, match="are mutually exclusive"):
        _ = load(tmp_path, given_, "train.epochs=3", "train.iterations=5").recipe


def test_a_setting_changes_the_default_optimizer_and_keeps_its_momentum(tmp_path: Path) -> None:
    assert vars(load(tmp_path).recipe.optimizer)["momentum"] == 0.9
    recipe = load(tmp_path, "", "train.optimizer.sgd.learning_rate=0.3").recipe
    assert (recipe.optimizer.learning_rate, vars(recipe.optimizer)["momentum"]) == (0.3, 0.9)
    assert load(tmp_path, "", "train.optimizer.adamw.learning_rate=0.3").recipe.optimizer.name == "adamw"
    assert vars(load(tmp_path, "", "train.optimizer=sgd").recipe.optimizer)["momentum"] == 0


@pytest.mark.parametrize(
    "texts",
    [
        ["train.class_weight=balanced"],
        ["train.class_weight={a: 2, 3: 0.5}"],
        ["train.loss.categorical_focal_crossentropy.gamma=1"],
        ["train.loss=huber", "train.loss.huber.delta=2"],
        ["train.early_stopping.patience=3", "train.early_stopping.monitor=val_top1"],
        ["train.warmup.iterations=400", "train.warmup.kind=constant", "train.warmup.factor=0.1"],
        ["train.dtype_policy=mixed_bfloat16", "train.decayed=[kernel, bias]"],
        ["train.optimizer.lamb.clipnorm=~", "train.optimizer.lamb.use_ema=true"],
        ["train.schedule.cosine_decay.unit=epochs", "train.schedule.cosine_decay.decay_steps=2.5"],
    ],
    ids=lambda texts: texts[0].partition("=")[0],
)
def test_settings_reach_every_part_and_the_resolved_spec_says_the_same(tmp_path: Path, texts: list[str]) -> None:
    network = load(tmp_path, "", *texts)
    assert network.recipe != Recipe()
    (tmp_path / "again.yaml").write_text(network.resolved_text(), encoding="utf-8")
    assert api.load(str(tmp_path / "again.yaml")).recipe == network.recipe
    assert api.check(str(tmp_path / "again.yaml")) == []


@pytest.mark.parametrize("name", api.recipes())
def test_shipped_recipes_fit_shipped_specs(name: str) -> None:
    """Every one says where it is from, and fits a network for RGB images."""
    first = (Path(__file__).parents[3] / "specs" / "recipes" / f"{name}.yaml").read_text().splitlines()[0]
    assert re.match(r"# (.*\d{4}, .*arXiv:\d{4}\.\d{4,5}|A default for)", first)
    recipe = api.load("resnet:50", recipe=name).recipe
    assert recipe != Recipe()
    course = LearningRateSchedule(recipe, recipe.length(5_000))
    assert course.at(recipe.length(5_000).steps // 2) > 0


def test_mixing_of_the_papers_leaves_no_batch_alone() -> None:
    """ConvNeXt's main.py: --mixup_prob 1, --mixup_switch_prob 0.5; one of several transforms that mix is drawn here."""
    for name, alpha in (("convnext", 0.8), ("rsb-a3", 0.1)):
        mixing = api.load("resnet:50", recipe=name).recipe.augment[-2:]
        assert [(each.name, each.alpha, each.p) for each in mixing] == [("mixup", alpha, 1), ("cutmix", 1, 1)]


def test_what_asynchronous_workers_shared_becomes_one_batch() -> None:
    """Szegedy et al. 2015, section 8, with tensorflow/models: 0.045 for 50 replicas of 32, 0.94 every second epoch."""
    recipe = api.load("inception-v3").recipe
    length = recipe.length(1_281_167)
    course = LearningRateSchedule(recipe, length)
    found = [course.at(epoch * length.steps_per_epoch) for epoch in (0, 1, 2, 4)]
    assert found == pytest.approx([0.045, 0.045, 0.045 * 0.94, 0.045 * 0.94**2])
    assert api.load("inception-v3", **{"train.batch_size": 32}).recipe.scale == pytest.approx(32 / 1600)


def test_the_rate_of_an_hour(tmp_path: Path) -> None:
    """Goyal et al. 2017, section 5.1: from 0.1 to 3.2 for 8,192 images in 5 epochs, a tenth at 30, 60 and 80."""
    recipe = api.load("resnet:50", recipe="goyal-2017").recipe
    length = recipe.length(1_281_167)
    course = LearningRateSchedule(recipe, length)
    found = [course.at(epoch * length.steps_per_epoch) for epoch in (0, 5, 29, 30, 60, 80)]
    assert found == pytest.approx([0.1, 3.2, 3.2, 0.32, 0.032, 0.0032])


def test_a_recipe_of_a_file_takes_the_place_of_the_specs(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    given_ = "  epochs: 7\n  label_smoothing: 0.1\n"
    load(tmp_path, given_)
    for text in ("epochs: $(classes // 2)\n", "train:\n  epochs: 5\n"):
        file.write_text(text)
        network = api.load(str(tmp_path / "net.yaml"), recipe=str(file))
        assert network.recipe == Recipe(epochs=5)
        assert "epochs: 5" in network.resolved_text()
        assert "label_smoothing" not in network.resolved_text()
        changed = api.load(str(tmp_path / "net.yaml"), recipe=file, **{"train.batch_size": 3})
        assert (changed.recipe.epochs, changed.recipe.batch_size) == (5, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: 3\noptimizer: {sdg: 0.1}\n", "there is no optimizer `sdg`\n  --> {file}:2:13"),
        ("epochs: 3\niterations: 4\n", "`epochs` and `iterations` are mutually exclusive\n  --> {file}:2:1"),
        ("train: {epoch: 3}\n", "`train` has no key `epoch`\n  --> {file}:1:9"),
        ("epochs: $clases\n", "the name `clases` is not defined here\n  --> {file}:1:9"),
        (SPEC, "`{file}` is a spec, not a recipe\n  --> {file}:1:1"),
        ("- epochs\n", "the top level of this recipe is a list, not a mapping\n  --> {file}:1:1"),
        ("", "this recipe is empty\n  --> {file}:1:1"),
    ],
)
def test_a_mistake_in_a_recipe_has_its_place_in_that_file(tmp_path: Path, text: str, message: str) -> None:
    load(tmp_path)
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ArchspecError) as caught:
        _ = api.load(str(tmp_path / "net.yaml"), recipe=str(file)).recipe
    assert message.format(file=file) in render(caught.value.diagnostics[0])


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    path = "give the path of a .yaml file, relative to the current folder"
    for name, help in (("goyal-207", "did you mean `goyal-2017`?"), (f"{tmp_path}/mine.yaml", path)):
        with pytest.raises(ArchspecError) as caught:
            api.load("vgg:A", recipe=name)
        assert caught.value.diagnostics[0].help == help


def test_a_figure_that_is_not_in_the_history_cannot_be_watched() -> None:
    watching = Recipe(schedule=PlateauSchedule(monitor="val_top5"))
    six, five = (history_columns(OutputTargets((OutputTarget(TARGETS["classes"](), units),))) for units in (6, 5))
    check_monitors(watching, six)
    with pytest.raises(ArchspecError, match="`schedule` monitors `val_top5`"):
        check_monitors(watching, five)
    with pytest.raises(ArchspecError, match="`early_stopping` monitors `val_top5`"):
        check_monitors(Recipe(early_stopping=EarlyStopping("val_top5")), five)


@pytest.mark.parametrize(
    "text",
    [
        "train.schedule={step: {epochs: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], gamma: 1e18}}",
        "train.schedule={exponential_decay: {decay_rate: 1e18, decay_steps: 1e-9}}",
        "train.schedule={cosine_decay_restarts: {first_decay_steps: 1e-9, t_mul: 1, m_mul: 9}}",
    ],
)
def test_a_rate_beyond_all_numbers_is_an_error_and_not_a_trace(tmp_path: Path, text: str) -> None:
    with pytest.raises(ArchspecError, match="overflows float64"):
        rates(load(tmp_path, "", text).recipe, 1000)


def test_restarts_without_end_cost_no_time(tmp_path: Path) -> None:
    text = "train.schedule={cosine_decay_restarts: {first_decay_steps: 1e-9, t_mul: 1.0000001}}"
    assert all(0 <= rate <= 0.01 for rate in rates(load(tmp_path, "", text).recipe, 1000))


def test_what_the_spec_asks_for_can_be_taken_back(tmp_path: Path) -> None:
    given_ = "  warmup: {epochs: 2}\n  class_weight: balanced\n  early_stopping: {patience: 3}\n  base_batch_size: 64\n"
    names = ("warmup", "class_weight", "early_stopping", "base_batch_size")
    assert load(tmp_path, given_, *(f"train.{name}=~" for name in names)).recipe == Recipe()


def test_initial_weights_of_a_spec_can_be_taken_back(tmp_path: Path) -> None:
    """What is left is Keras's own; the same words in a spec say the same."""
    given_ = "  init: {conv: he_normal}\n"
    assert load(tmp_path, given_).recipe.init != ()
    assert load(tmp_path, given_, "train.init=~").recipe == Recipe()
    assert load(tmp_path, "  init: ~\n").recipe == Recipe()
    # a rule of a setting goes into what was taken back
    assert [rule.layers for rule in load(tmp_path, "  init: ~\n", "train.init.conv=orthogonal").recipe.init] == ["conv"]
