"""The Toronto Face Database from MATLAB files in its format, and a folder of images in its place."""

from itertools import chain

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from gan.app.prepare import prepare
from gan.core.errors import UserError
from gan.data.tfd import TFD, table_of_parts
from gan.runs.build import build

COMMON = {"batch_size": 2, "image_size": 48, "channels": 1, "classes": 0, "seed": 1}
COUNT = 40


def arrays(size=48):
    """40 random images, 15 of them unlabelled; the folds differ."""
    generator = np.random.default_rng(0)
    labelled = np.arange(COUNT) >= 15
    folds = np.where(labelled[:, None], generator.integers(1, 4, (COUNT, 5)), 0).astype(np.uint8)
    expressions = np.where(labelled, generator.integers(1, 8, COUNT), -1).astype(np.int16)
    return {
        "images": generator.integers(0, 256, (COUNT, size, size), dtype=np.uint8),
        "folds": folds,
        "labs_ex": expressions[:, None],
        "labs_id": np.zeros((COUNT, 1)),
    }


@pytest.fixture
def root(tmp_path):
    savemat(tmp_path / "TFD_48x48.mat", arrays())
    return tmp_path


def loaded(root, **changes):
    data = TFD(root=root, **COMMON | changes)
    data.prepare_data()
    data.setup()
    return data


def assert_is(split, rows, size=48):
    """The split holds these rows of the arrays."""
    expected = arrays(size)
    assert len(rows)
    assert np.array_equal(split.images[:, 0].numpy(), expected["images"][rows])
    labels = expected["labs_ex"][rows, 0]
    assert split.labels.tolist() == [label - 1 if label > 0 else -1 for label in labels.tolist()]


@pytest.mark.parametrize("fold", range(5))
@pytest.mark.parametrize(("train_on", "uses"), [("unlabelled", (0,)), ("labelled", (1,)), ("both", (0, 1))])
def test_splits_are_those_of_the_chosen_fold(root, fold, train_on, uses):
    splits = loaded(root, fold=fold, train_on=train_on).splits
    uses_in_fold = arrays()["folds"][:, fold]
    assert_is(splits["train"], np.flatnonzero(np.isin(uses_in_fold, uses)))
    assert_is(splits["valid"], np.flatnonzero(uses_in_fold == 2))
    assert_is(splits["test"], np.flatnonzero(uses_in_fold == 3))


def test_folds_do_not_depend_on_the_chosen_fold(root):
    for chosen in (0, 3):
        folds = loaded(root, fold=chosen).folds()
        assert len(folds) == 5
        for number, fold in enumerate(folds):
            assert fold.keys() == {"valid", "test"}
            assert_is(fold["valid"], np.flatnonzero(arrays()["folds"][:, number] == 2))
            assert_is(fold["test"], np.flatnonzero(arrays()["folds"][:, number] == 3))


def test_root_may_be_a_file_and_resolution_follows_image_size(root):
    unlabelled = np.arange(15)
    assert_is(loaded(root / "TFD_48x48.mat").splits["train"], unlabelled)
    savemat(root / "TFD_96x96.mat", arrays(96))
    assert_is(loaded(root).splits["train"], unlabelled)
    assert_is(loaded(root, image_size=96).splits["train"], unlabelled, size=96)
    (root / "TFD_48x48.mat").unlink()
    data = loaded(root)
    assert data.splits["train"].images.shape == (15, 1, 48, 48)
    assert data.folds()[2]["test"].images.shape[1:] == (1, 48, 48)


# A folder in its place


@pytest.fixture
def faces(tmp_path):
    """101 images of one value each."""
    (tmp_path / "faces").mkdir()
    for value in range(101):
        Image.fromarray(np.full((50, 48), value, dtype=np.uint8)).save(tmp_path / "faces" / f"face-{value}.png")
    return tmp_path / "faces"


def values(split):
    return split.images[:, 0, 0, 0].tolist()


def test_folder_is_divided_into_folds_like_the_database(faces):
    data = loaded(faces, train_on="unlabelled")
    unlabelled = values(data.splits["train"])
    assert len(unlabelled) == 50
    assert data.splits["train"].labels.unique().tolist() == [-1]
    tests = [values(fold["test"]) for fold in data.folds()]
    assert sorted([*unlabelled, *chain(*tests)]) == list(range(101))
    assert sorted(map(len, tests)) == [10, 10, 10, 10, 11]
    for number in range(5):
        splits = loaded(faces, fold=number, train_on="labelled", seed=number).splits
        assert values(splits["test"]) == tests[number]
        assert values(splits["valid"]) == tests[(number + 1) % 5]
        rest = [tests[(number + other) % 5] for other in (2, 3, 4)]
        assert sorted(values(splits["train"])) == sorted(chain(*rest))
    both = values(loaded(faces, train_on="both").splits["train"])
    assert sorted(both) == sorted([*unlabelled, *chain(*tests[2:])])


@pytest.mark.parametrize("count", [2, 3, 11, 400])
def test_table_of_parts_has_one_test_fold_for_each_labelled_image(count):
    table = table_of_parts(count)
    assert table.shape == (count, 5)
    assert (table == 0).all(1).sum() == count // 2
    labelled = table[count // 2 :]
    assert ((labelled == 3).sum(1) == 1).all()
    assert ((labelled == 2).sum(1) == 1).all()
    assert ((labelled == 1).sum(1) == 3).all()


def test_corrupt_files_are_reported_or_skipped(faces):
    (faces / "empty.png").touch()
    with pytest.raises(UserError, match=r"empty.png is corrupt \(it is empty\). .* data.skip_corrupt=true"):
        loaded(faces)
    assert sum(len(fold["test"]) for fold in loaded(faces, skip_corrupt=True).folds()) == 51


def test_training_runs_on_a_folder(configure, run_training, faces):
    choices = ["data=tfd", f"data.root={faces}", "trainer.max_steps=2", "data.batch_size=8", "data.image_size=12"]
    assert run_training(configure(*choices, "callbacks=none", "logger=none")).module.iteration == 2


# Mistakes


def changed(**changes):
    """The arrays with some replaced; None leaves one out."""
    return {name: value for name, value in (arrays() | changes).items() if value is not None}


OTHER = np.zeros((COUNT, 5), dtype=np.uint8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(folds=None), "has no 'folds'; expected are images, folds and labs_ex"),
        (
            changed(images=np.zeros((40, 50, 50), np.uint8)),
            "images must be uint8 N×48×48 or N×96×96, got uint8 40×50×50",
        ),
        (changed(images=np.zeros((40, 48, 48))), "images must be uint8 N×48×48 or N×96×96, got float64 40×48×48"),
        (changed(folds=OTHER[:, :4]), "folds must be 40×5, got 40×4"),
        (changed(folds=OTHER + 4), r"folds must hold 0 \(unlabelled\), 1 \(train\), 2 \(valid\) and 3 \(test\) only"),
        (changed(labs_ex=OTHER[:7, :1]), "labs_ex must be 40×1, got 7×1"),
        (changed(labs_ex=OTHER[:, :1] + 8), "labs_ex must hold -1 and 1 to 7 only"),
    ],
)
def test_mat_file_with_wrong_contents_is_reported(tmp_path, content, message):
    savemat(tmp_path / "TFD_48x48.mat", content)
    with pytest.raises(UserError, match=rf"TFD_48x48.mat.*{message}"):
        loaded(tmp_path)


def test_unreadable_mat_file_is_reported(root):
    path = root / "TFD_48x48.mat"
    content = path.read_bytes()
    path.write_bytes(content[:2000])
    with pytest.raises(UserError, match=r"data.root=.*TFD_48x48.mat is not a MATLAB file that can be read \("):
        loaded(root)
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + bytes(1000))
    with pytest.raises(UserError, match=r"TFD_48x48.mat is a MATLAB 7.3 \(HDF5\) file; load it in MATLAB and save"):
        loaded(path)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ([], r"data.root is missing"),
        (["data.root=nowhere"], r"data.root=nowhere does not exist"),
        (["data.root={root}", "data.classes=3"], r"data.classes=3, but .*TFD_48x48.mat has 7"),
        (["data.root={faces}", "data.classes=7"], r"data.classes=7, but the images in .* count as unlabelled; give 0"),
        (["data.root={root}", "data.channels=3"], r"data.channels=3, but the images have 1"),
    ],
)
def test_data_errors_are_reported_before_the_first_step(configure, root, faces, choices, message):
    choices = [choice.format(root=root, faces=faces) for choice in choices]
    cfg = configure("data=tfd", "data.batch_size=2", *choices)
    game = build(cfg)
    with pytest.raises(UserError, match=message):
        prepare(game, cfg)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("data.fold=5", r"data.fold must be a whole number of at least 0 and below 5, got 5"),
        ("data.train_on=all", r"train_on must be one of unlabelled, labelled, both, got all"),
        ("data.channels=2", r"channels must be 1 \(grey\) or 3 \(colour\), got 2"),
    ],
)
def test_invalid_options_are_reported_before_loading(configure, choice, message):
    with pytest.raises(UserError, match=message):
        build(configure("data=tfd", choice))


def test_expressions_are_labels_from_0_to_6(root):
    data = loaded(root, classes=7, train_on="labelled")
    assert data.splits["train"].labels.min() >= 0
    assert data.splits["train"].labels.max() <= 6
    assert data.splits["train"].labels.dtype == torch.int64


def test_fold_out_of_range_is_refused():
    with pytest.raises(ValueError, match="fold must be a whole number of at least 0 and below 5, got 7"):
        TFD(root=None, fold=7, **COMMON)
