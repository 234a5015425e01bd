"""Folders of images: layouts, splits, the cache, streaming and error messages."""

import os
import threading
import time
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from gan.app.prepare import prepare
from gan.core.errors import UserError
from gan.data import cache
from gan.data.cache import cache_of, scan
from gan.data.folder import Folder
from gan.runs.build import build
from tests.test_resume import assert_same_bits, check_resume, weights

COMMON = {"batch_size": 2, "image_size": 4, "channels": 1, "classes": 0, "seed": 1}


def write(path, value=None, size=(4, 4)):
    """A gray PNG of one value, or of noise that depends on its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(size[::-1], value or 0, dtype=np.uint8)
    if value is None:
        pixels = np.random.default_rng(list(path.name.encode())).integers(0, 256, size[::-1], dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def loaded(root, **changes):
    data = Folder(root=root, **COMMON | changes)
    data.prepare_data()
    data.setup()
    return data


def values(split):
    """The value of each one-valued image."""
    return split.images[:, 0, 0, 0].tolist()


@pytest.fixture
def flat(tmp_path):
    """Images of the values 1 to 40, and two files that are no images."""
    for value in range(1, 41):
        write(tmp_path / "flat" / f"{value}.png", value)
    (tmp_path / "flat" / "notes.txt").write_text("no image", encoding="utf-8")
    (tmp_path / "flat" / ".hidden.png").write_bytes(b"")
    return tmp_path / "flat"


# Layouts


def test_flat_folder_is_split_the_same_way_for_every_seed(flat):
    data, other = loaded(flat), loaded(flat, seed=2)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 32, "valid": 4, "test": 4}
    found = [value for split in data.splits.values() for value in values(split)]
    assert sorted(found) == list(range(1, 41))
    assert found != sorted(found)
    for name, split in data.splits.items():
        assert torch.equal(split.images, other.splits[name].images)
        assert split.labels.tolist() == [-1] * len(split)


def test_image_suffixes_in_upper_and_lower_case_are_read(tmp_path):
    names = ["a.png", "b.PNG", "c.JPG", "d.Jpeg", "e.pgm", "f.PPM", "g.bmp", "h.webp"]
    for name in names:
        write(tmp_path / name, 9)
    for name in ("text.txt", "png", "x.gif", "y.png.part"):
        (tmp_path / name).touch()
    assert sorted(file.path for file in scan(tmp_path)) == names
    assert len(loaded(tmp_path, test_share=0, validation_share=0).splits["train"]) == 8


def test_larger_shares_keep_the_smaller_splits(flat):
    few = loaded(flat)
    many = loaded(flat, validation_share=0.25, test_share=0)
    assert [len(split) for split in many.splits.values()] == [30, 10, 0]
    # An image in the test or validation split at a small share is not in the training split at a larger one.
    assert values(many.splits["train"]) == values(few.splits["train"])[:30]
    assert len(list(cache_of(flat).glob("*.images"))) == 1


def test_new_image_changes_the_split_of_no_other(flat):
    before = loaded(flat, validation_share=0, test_share=0)
    write(flat / "new.png", 99)
    after = values(loaded(flat, validation_share=0, test_share=0).splits["train"])
    after.remove(99)
    assert after == values(before.splits["train"])


def test_order_of_images_is_a_fixed_permutation(flat):
    paths = [file.path for file in scan(flat)]
    assert paths not in (sorted(paths), sorted(paths, reverse=True))
    # Pinned: the order must be the same on every machine and in every version, or test images become training images.
    assert paths[:5] == ["24.png", "9.png", "35.png", "5.png", "17.png"]


def test_class_subfolders_are_labels(tmp_path):
    for name, low in (("b", 100), ("a", 50)):
        for value in range(low, low + 10):
            write(tmp_path / name / "deeper" / f"{value}.png", value)
    write(tmp_path / "stray.png", 7)
    data = loaded(tmp_path, classes=2, test_share=0.2)
    assert data.class_names == ["a", "b"]
    for split in data.splits.values():
        assert len(split)
        for value, label in zip(values(split), split.labels.tolist(), strict=True):
            assert label == (-1 if value == 7 else int(value >= 100))


def test_single_subfolder_is_no_class(tmp_path):
    for value in range(1, 11):
        write(tmp_path / "images" / f"{value}.png", value)
    data = loaded(tmp_path)
    assert data.class_names == []
    assert data.splits["train"].labels.unique().tolist() == [-1]


@pytest.mark.parametrize("folders", [("valid", "test"), ("val",), ("Test", "valid")])
def test_splits_without_training_images_are_refused(tmp_path, folders):
    for folder in folders:
        (tmp_path / folder).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / folder / "1.png")
    listed = " and ".join(f"{name.lower()}/" for name in sorted(folders, key=str.lower))
    with pytest.raises(UserError, match=f"data.root holds {listed} without train/: put the training images"):
        loaded(tmp_path)


def test_folders_named_train_val_test_are_splits(tmp_path):
    layout = {"train/a": range(1, 11), "train/b": range(11, 21), "val/a": (30,), "val/b": (31, 32), "test/b": (40,)}
    for folder, numbers in layout.items():
        for value in numbers:
            write(tmp_path / folder / f"{value}.png", value)
    data = loaded(tmp_path)
    found = {name: dict(zip(values(s), s.labels.tolist(), strict=True)) for name, s in data.splits.items()}
    assert found == {
        "train": {value: int(value > 10) for value in range(1, 21)},
        "valid": {30: 0, 31: 1, 32: 1},
        "test": {40: 1},
    }


def test_missing_split_is_taken_from_train(tmp_path):
    for value in range(1, 21):
        write(tmp_path / "train" / f"{value}.png", value)
    write(tmp_path / "test" / "50.png", 50)
    splits = loaded(tmp_path).splits
    assert [len(split) for split in splits.values()] == [18, 2, 1]
    assert sorted(values(splits["train"]) + values(splits["valid"])) == list(range(1, 21))
    assert values(splits["test"]) == [50]


def test_images_outside_split_folders_are_counted_and_left_out(tmp_path, caplog):
    for value in range(1, 11):
        write(tmp_path / "train" / f"{value}.png", value)
    for name in ("test/50", "extra/x/60", "61"):
        write(tmp_path / f"{name}.png", 60)
    with caplog.at_level("INFO"):
        data = loaded(tmp_path)
    assert sum(map(len, data.splits.values())) == 11
    assert data.class_names == []
    assert "images outside of the folders train, valid and test, left out: 2" in caplog.text


def test_class_folder_may_be_named_train(tmp_path):
    for name in ("train", "plane"):
        for value in range(1, 11):
            write(tmp_path / name / f"{value}.png", value)
    data = loaded(tmp_path)
    assert data.class_names == ["plane", "train"]
    assert sum(map(len, data.splits.values())) == 20


def test_only_a_link_to_an_ancestor_is_a_loop(tmp_path):
    write(tmp_path / "a" / "1.png", 1)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "d").symlink_to(tmp_path / "b")
    assert sorted(file.path for file in scan(tmp_path)) == ["a/1.png", "b/1.png", "c/d/1.png"]


def test_linked_split_has_its_images(tmp_path):
    """`ln -s test val`: the same images twice, and none of the training images among them."""
    for value in range(1, 21):
        write(tmp_path / "train" / f"{value}.png", value)
    for value in (30, 31, 32):
        write(tmp_path / "test" / f"{value}.png", value)
    (tmp_path / "val").symlink_to("test")
    splits = loaded(tmp_path).splits
    assert sorted(values(splits["train"])) == list(range(1, 21))
    assert sorted(values(splits["valid"])) == sorted(values(splits["test"])) == [30, 31, 32]


# 16-bit images


def write_deep(root, brightest, depth=16):
    for value in range(1, 21):
        pixels = np.full((4, 4), brightest * value // 20, dtype=np.uint16 if depth == 16 else np.uint8)
        root.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(root / f"{value}.png")


def test_dark_sixteen_bit_images_are_warned_of_at_every_start(tmp_path, caplog):
    write_deep(tmp_path / "deep", 3531)
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        with caplog.at_level("WARNING"):
            assert max(values(loaded(tmp_path / "deep").splits["train"])) <= 14
        (line,) = caplog.messages
        assert "the brightest value of the 16-bit images is 3,531, and white is 65,535" in line
        assert "data.white=3531" in line


def test_stretched_images_are_decoded_again_and_reach_white(tmp_path, caplog):
    write_deep(tmp_path / "deep", 3531)
    with caplog.at_level("WARNING"):
        loaded(tmp_path / "deep", white=None)
        caplog.clear()
        splits = loaded(tmp_path / "deep", white=3531).splits
    assert caplog.messages == []
    found = sorted(value for split in splits.values() for value in values(split))
    assert found == sorted(round(3531 * value // 20 * 255 / 3531) for value in range(1, 21))


@pytest.mark.parametrize(("brightest", "depth"), [(65535, 16), (40000, 16), (9, 8)])
def test_bright_and_eight_bit_images_are_not_warned_of(tmp_path, caplog, brightest, depth):
    write_deep(tmp_path / "deep", brightest, depth)
    with caplog.at_level("WARNING"):
        loaded(tmp_path / "deep")
    assert caplog.messages == []


# The cache


@pytest.fixture
def decodings(monkeypatch):
    """The names of the files that are decoded."""
    seen, real = [], cache.attempt
    monkeypatch.setattr(cache, "attempt", lambda path, *rest: seen.append(path.name) or real(path, *rest))
    return seen


def test_images_are_decoded_once(flat, decodings):
    first = loaded(flat)
    assert len(decodings) == 40
    second = loaded(flat)
    assert len(decodings) == 40
    assert torch.equal(first.splits["train"].images, second.splits["train"].images)


@pytest.mark.parametrize("change", ["content", "time", "name", "removed", "added"])
def test_changed_file_makes_the_cache_stale(flat, decodings, change):
    loaded(flat)
    path = flat / "7.png"
    if change == "content":
        status = path.stat()
        path.write_bytes(write(flat / "other" / "x.png", 200).read_bytes() + b"longer")
        (flat / "other" / "x.png").unlink()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "time":
        os.utime(path, ns=(1, 1))
    elif change == "name":
        path.rename(flat / "renamed.png")
    elif change == "removed":
        path.unlink()
    else:
        write(flat / "new.png", 200)
    decodings.clear()
    data = loaded(flat)
    assert len(decodings) == len(scan(flat)) in (39, 40, 41)
    found = [value for split in data.splits.values() for value in values(split)]
    assert sorted(found) == sorted(
        {"content": {*range(1, 41), 200} - {7}, "removed": {*range(1, 41)} - {7}, "added": {*range(1, 41), 200}}.get(
            change, {*range(1, 41)}
        )
    )
    assert len(list(cache_of(flat).glob("*.images"))) == 1, "the old one is still there"


def test_renaming_a_corrupt_file_updates_the_error(tmp_path):
    write(tmp_path / "a.png", 1)
    (tmp_path / "b.png").touch()
    for name, other in (("b.png", "c.png"), ("c.png", "d.png")):
        with pytest.raises(UserError, match=rf"{name} is corrupt"):
            loaded(tmp_path)
        (tmp_path / name).rename(tmp_path / other)


def test_decoding_does_not_run_far_ahead_of_the_disk(flat, decodings, monkeypatch):
    monkeypatch.setattr(cache, "usable_cores", lambda: 1)
    results = cache._decode_all(flat, [f"{value}.png" for value in range(1, 41)], (1, 4, 4))
    path, pixels = next(results)
    assert (path, pixels.max()) == ("1.png", 1)
    time.sleep(0.2)  # the disk
    assert len(decodings) <= 9
    assert len([*results]) == 39


def test_each_image_size_and_channel_count_has_its_own_cache(flat):
    for changes in ({}, {"image_size": 5}, {"channels": 3}, {}):
        data = loaded(flat, **changes)
        size = data.image_size
        assert data.splits["train"].images.shape == (32, data.channels, size, size)
    assert len(list(cache_of(flat).glob("*.images"))) == 3


@pytest.mark.parametrize("harm", ["cut images", "no images", "cut record", "odd record", "no record"])
def test_damaged_cache_is_rebuilt(flat, decodings, harm):
    expected = loaded(flat).splits["train"].images
    (images,), (record,) = (cache_of(flat).glob(f"*.{kind}") for kind in ("images", "json"))
    if harm == "cut images":
        images.write_bytes(images.read_bytes()[:-1])
    elif harm == "no images":
        images.unlink()
    else:
        texts = {
            "cut record": record.read_text(encoding="utf-8")[:5],
            "odd record": '{"count": "many"}',
            "no record": "",
        }
        record.write_text(texts[harm], encoding="utf-8")
    decodings.clear()
    assert torch.equal(loaded(flat).splits["train"].images, expected)
    assert len(decodings) == 40


def test_image_folder_is_not_written_to(flat, tmp_path, decodings):
    before = sorted(flat.iterdir())
    loaded(flat)
    assert sorted(flat.iterdir()) == before
    for _ in range(2):
        assert len(loaded(flat, cache_dir=str(tmp_path / "mine")).splits["train"]) == 32
    assert len(decodings) == 80
    assert len(list((tmp_path / "mine").glob("flat-*/*.images"))) == 1


def test_unwritable_cache_dir_is_reported(flat):
    with pytest.raises(UserError, match=r"data.cache_dir: .* cannot be written \(Not a directory\); give"):
        loaded(flat, cache_dir=str(flat / "1.png"))


def test_full_disk_is_reported_and_leaves_no_files(flat, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", full)
    with pytest.raises(UserError, match=r"flat-\w+: No space left on device; the decoded images take .* GiB there"):
        loaded(flat)
    assert [path.name for path in cache_of(flat).iterdir()] == ["lock"]


def test_interrupted_decoding_leaves_no_files(flat, monkeypatch):
    real, count = cache.attempt, iter(range(100))

    def interrupted(*arguments):
        if next(count) == 20:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(cache, "attempt", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loaded(flat)
    assert [path.name for path in cache_of(flat).iterdir()] == ["lock"]


def test_old_unfinished_files_are_removed(flat):
    loaded(flat)
    (images,) = cache_of(flat).glob("*.images")
    old, new = (images.with_name(f".{images.name}.{name}.unfinished") for name in ("old", "new"))
    for path in (old, new):
        path.touch()
    os.utime(old, (1, 1))
    write(flat / "more.png", 5)
    loaded(flat)
    assert new.exists()
    assert not old.exists()


def test_concurrent_loads_decode_once(flat, decodings):
    found = []
    threads = [threading.Thread(target=lambda: found.append(loaded(flat).splits["train"].images)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decodings) == 40
    assert len(found) == 3
    assert all(torch.equal(found[0], images) for images in found)


def test_second_process_waits_and_logs_it(tmp_path, caplog):
    caplog.set_level("INFO")
    order = []

    def second():
        with cache.alone(tmp_path):
            order.append("second")

    thread = threading.Thread(target=second)
    with cache.alone(tmp_path):
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert "waiting for another process" in caplog.text


def test_concurrent_loads_work_without_file_locks(flat, monkeypatch):
    import fcntl

    def unknown(*arguments):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unknown)
    threads = [threading.Thread(target=loaded, args=(flat,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded(flat).splits["train"]) == 32


# Corrupt files


@pytest.fixture
def with_corrupt_files(flat):
    (flat / "12.png").write_bytes(b"")
    noise = write(flat / "13.png", size=(64, 64))
    noise.write_bytes(noise.read_bytes()[:1000])
    (flat / "14.jpg").write_text("no picture", encoding="utf-8")
    (flat / "15.webp").symlink_to(flat / "nowhere")
    return flat


def test_corrupt_files_are_an_error(with_corrupt_files, decodings):
    message = r"12.png is corrupt \(it is empty\) and 3 more; all are listed in .*json. .* data.skip_corrupt=true"
    with pytest.raises(UserError, match=message):
        loaded(with_corrupt_files)
    record = next(cache_of(with_corrupt_files).glob("*.json")).read_text(encoding="utf-8")
    assert all(name in record for name in ("12.png", "13.png", "14.jpg", "15.webp"))
    decodings.clear()
    with pytest.raises(UserError, match=message):
        loaded(with_corrupt_files)
    assert decodings == []


def test_skip_corrupt_leaves_corrupt_files_out(with_corrupt_files, caplog):
    with caplog.at_level("INFO"):
        data = loaded(with_corrupt_files, skip_corrupt=True)
    assert "corrupt images left out: 4, the first" in caplog.text
    found = [value for split in data.splits.values() for value in values(split)]
    assert sorted(found) == [value for value in range(1, 41) if value not in (12, 13)]


def test_skipped_images_change_the_split_of_no_other(flat):
    before = loaded(flat, test_share=0.3)
    bad = [*range(1, 41, 4)]
    for value in bad:
        (flat / f"{value}.png").write_bytes(b"")
    after = loaded(flat, test_share=0.3, skip_corrupt=True)
    for name, split in before.splits.items():
        assert values(after.splits[name]) == [value for value in values(split) if value not in bad]
        assert len(after.splits[name].labels) == len(after.splits[name])


@pytest.mark.parametrize(
    ("content", "fault"), [(b"", "it is empty"), (b"GIF89a" + bytes(50), "none of PNG, JPEG"), (None, "No such file")]
)
def test_error_names_a_corrupt_file_and_its_fault(flat, content, fault):
    if content is None:
        (flat / "new.png").symlink_to(flat / "nowhere")
    else:
        (flat / "new.png").write_bytes(content)
    with pytest.raises(UserError, match=rf"new.png is corrupt \({fault}.*\)\. Repair"):
        loaded(flat)


def test_decompression_bomb_is_a_corrupt_file(flat, monkeypatch):
    write(flat / "bomb.png", 3, size=(50, 50))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match=r"bomb.png is corrupt \(.*decompression bomb"):
        loaded(flat)


# Streaming


@pytest.fixture
def noise_folder(tmp_path):
    """103 images of noise, of which 83 train."""
    for i in range(103):
        write(tmp_path / "noise_folder" / f"{i % 2}" / f"{i}.png")
    return tmp_path / "noise_folder"


def stream(root, count, start=0, rank=0, world=1, **changes):
    """``count`` batches from batch ``start`` on."""
    data = loaded(root, **{"batch_size": 10} | changes)
    data.trainer = SimpleNamespace(
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        lightning_module=SimpleNamespace(iteration=start),
        global_rank=rank,
        world_size=world,
    )
    return list(islice(data.train_dataloader(), count))


def assert_same(a, b):
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        assert x.images.dtype == y.images.dtype == torch.float32
        assert torch.equal(x.images, y.images)
        assert torch.equal(x.labels, y.labels)


@pytest.mark.processes
@pytest.mark.parametrize("start", [0, 3, 7, 8, 9, 20])
@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_batches_equal_those_in_memory(noise_folder, start, workers):
    torch.manual_seed(3)
    expected_next = torch.Generator().manual_seed(3)
    streamed = stream(noise_folder, 11, start=start, memory=0, workers=workers)
    assert torch.equal(torch.rand(3), torch.rand(3, generator=expected_next)), "the global generator was used"
    assert_same(streamed, stream(noise_folder, 31)[start : start + 11])


@pytest.mark.processes
@pytest.mark.parametrize("rank", [0, 1])
def test_processes_split_streamed_batches(noise_folder, rank):
    whole = stream(noise_folder, 6, batch_size=20)
    assert_same(
        stream(noise_folder, 6, rank=rank, world=2, memory=0), [x.map(lambda value: value[rank::2]) for x in whole]
    )


def test_images_are_streamed_only_above_the_memory_limit(noise_folder):
    size = 103 * 16 / 2**30
    assert loaded(noise_folder, memory=size * 0.99).streams
    assert loaded(noise_folder, memory=size * 0.99).describe() == "Folder: 83 images 1×4×4 (streamed from the disk)"
    assert not loaded(noise_folder, memory=size * 1.01).streams
    assert loaded(noise_folder).describe() == "Folder: 83 images 1×4×4"
    assert torch.equal(loaded(noise_folder, memory=0).mean_image(), loaded(noise_folder).mean_image())


def test_workers_get_the_cache_path_not_the_pixels(noise_folder):
    import pickle

    from gan.data.streaming import Mapped

    data = loaded(noise_folder, memory=0, image_size=32)
    images = Mapped(data.pixels, 10)
    assert torch.equal(images[np.array([3, 1])], data.splits["train"].images[[3, 1]])
    again = pickle.loads(pickle.dumps(Mapped(data.pixels, 10)))
    assert torch.equal(again[np.array([3, 1])], images[np.array([3, 1])])
    assert len(pickle.dumps(images)) < 1000, "the images themselves travel"


@pytest.mark.processes
@pytest.mark.parametrize("stop_at", [3, 8])
def test_streamed_run_and_its_resume_equal_the_run_in_memory(configure, run_training, tmp_path, noise_folder, stop_at):
    choices = ["data=folder", f"data.root={noise_folder}", "data.image_size=4", "data.batch_size=10", "data.channels=1"]
    choices += ["trainer.max_epochs=2", "callbacks.monitor.every_n_batches=4", "ema.decay=0"]
    streamed = [*choices, "data.memory=0"]
    whole = run_training(configure(*streamed, folder="whole"))
    assert whole.module.iteration == 16
    assert_same_bits(weights(whole), weights(run_training(configure(*choices, folder="memory"))))
    check_resume(configure, run_training, tmp_path, streamed, whole, stop_at)


# Mistakes


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ([], r"data.root is missing: give the folder of your images with data.root=FOLDER"),
        (["data.root=nowhere"], r"data.root=nowhere does not exist; give the folder of your images"),
        (["data.root={flat}/1.png"], r"data.root=.*1.png is a file; give the folder of your images"),
        (["data.root={empty}"], r"data.root=.*empty holds no images \(PNG, JPEG"),
        (["data.root={flat}", "data.classes=3"], r"data.classes=3, but the class subfolders in data.root=.*: none"),
        (["data.root={two}", "data.classes=3"], r"data.classes=3, but .*: 2 \(a, b\)"),
        (["data.root={more}", "data.classes=3"], r"data.classes=3: class c in data.root=.* has no training images"),
        (["data.root={bad}"], r"none of the 1 images in data.root=.* can be read, such as x.png \(it is empty\)"),
        (["data.root={flat}", "data.batch_size=33"], r"data.batch_size=33 is more than the 32 training images"),
    ],
)
def test_data_errors_are_reported_before_the_first_step(configure, flat, tmp_path, choices, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").touch()
    for name in ("a", "b"):
        write(tmp_path / "two" / name / "1.png", 1)
        write(tmp_path / "more" / "train" / name / "1.png", 1)
    write(tmp_path / "more" / "test" / "c" / "1.png", 1)
    places = {name: tmp_path / name for name in ("empty", "bad", "two", "more")} | {"flat": flat}
    cfg = configure("data=folder", "data.batch_size=2", *(choice.format(**places) for choice in choices))
    game = build(cfg)
    with pytest.raises(UserError, match=message):
        prepare(game, cfg)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("data.channels=2", r"channels must be 1 \(grey\) or 3 \(colour\), got 2"),
        ("data.validation_share=0.95", r"validation_share=0.95 and test_share=0.1 leave nothing to train"),
        ("data.test_share=1", r"data.test_share must be a number of at least 0 and below 1, got 1"),
        ("data.workers=-1", r"data.workers must be a whole number of at least 0, got -1"),
        ("data.memory=none", r"data.memory must be a number of at least 0, got none"),
    ],
)
def test_invalid_options_are_reported_before_loading(configure, choice, message):
    with pytest.raises(UserError, match=message):
        build(configure("data=folder", choice))


def test_unreadable_folder_is_reported(flat, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(cache.os, "scandir", refused)
    with pytest.raises(UserError, match=r"data.root=.*: .*flat: Permission denied"):
        loaded(flat)
