"""TFRecords: which files, records and names are refused, and with which fact."""

from __future__ import annotations

from pathlib import Path

from archspec.runtime.data.images import class_counts
from archspec.runtime.data.sources.dataset import open_data, open_parts
from tests.refusal import refused
from tests.runtime.data.sources.tfrecord_files import example, png, records


def test_records_that_cannot_be_are_refused_with_the_fact(tmp_path: Path) -> None:
    good = [example(image=png(i), label=i % 2) for i in range(4)]
    source = records(tmp_path / "a.tfrecord", *good)
    assert class_counts(open_data(source, "validation")) == (2, 2)
    whole = Path(source).read_bytes()
    for contents, fact in (
        (whole[:-30], "is truncated in the record at byte"),
        (b"no record at all", "it does not begin with a record"),
        (whole + b"x" * 20, f"the record at byte {len(whole):,} is damaged"),
    ):
        (tmp_path / "b.tfrecord").write_bytes(contents)
        wrong = refused(lambda: open_data(str(tmp_path / "b.tfrecord"), "validation"))
        assert (wrong.code, fact in wrong.message) == ("data-format", True), wrong.message
    for bad, fact in (
        (example(picture=png(0), label=1), "has no feature `image/encoded` or `image`"),
        (example(image=png(0), label=b"x"), "has no feature `image/class/label` or `label`"),
    ):
        wrong = refused(lambda bad=bad: open_data(records(tmp_path / "c.tfrecord", good[0], bad), "validation"))
        assert wrong.message.startswith("record 2 of")
        assert fact in wrong.message
    damaged = records(tmp_path / "d.tfrecord", *good, example(image=png(3)[:-20], label=0))
    wrong = refused(lambda: open_data(damaged, "validation"))
    assert (wrong.code, wrong.message) == ("bad-images", "1 of 5 records cannot be read as images")
    assert wrong.notes[0].endswith(": a damaged PNG")
    kept = open_data(damaged, "validation", skip_bad_images=True)
    assert (kept.class_names, kept.labels.tolist()) == (("0", "1"), [0, 1, 0, 1])
    records(tmp_path / "shards-00001-of-00003.tfrecord", *good)
    folder = tmp_path / "shards"
    folder.mkdir()
    records(folder / "train-00001-of-00003", *good)
    wrong = refused(lambda: open_data(str(folder), "train"))
    assert "2 of the 3 files `train-...-of-00003` are missing" in wrong.message


def test_a_label_with_two_names_is_refused(tmp_path: Path) -> None:
    """The files of two parts may have been numbered apart: 0 is a cat in one and a dog in the other."""

    def named(part: str, *names: bytes, folder: str = "a") -> None:
        (tmp_path / folder).mkdir(exist_ok=True)
        all = [
            {"image/encoded": png(i), "image/class/label": i, "image/class/text": name} for i, name in enumerate(names)
        ]
        records(tmp_path / folder / f"{part}.tfrecord", *(example(**each) for each in all))

    named("train", b"cat", b"dog")
    named("val", b"dog", b"cat")
    wrong = refused(lambda: open_parts(str(tmp_path / "a"), print))
    assert wrong.message == f"`{tmp_path / 'a'}` has two names for the label 0: `cat` and `dog`"
    named("val", b"cat", b"dog")
    assert open_parts(str(tmp_path / "a"), print).class_names == {"train": ("cat", "dog"), "val": ("cat", "dog")}
    (tmp_path / "a" / "label.labels.txt").write_text("dog\ncat\n")
    assert "label 0: `cat` and `dog`" in refused(lambda: open_parts(str(tmp_path / "a"), print)).message
    (tmp_path / "a" / "label.labels.txt").write_text("Katze\nHund\n")
    assert open_parts(str(tmp_path / "a"), print).class_names["val"] == ("Katze", "Hund")
