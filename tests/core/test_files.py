"""A file is whole, or it is what it was before."""

import os

import pytest

from gan.core.files import write_whole


def test_the_new_contents_take_the_place_of_the_old(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    with write_whole(path) as unfinished:
        unfinished.write_text("new")
        assert unfinished.parent == path.parent
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [OSError, ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_contents_and_nothing_else(tmp_path, failure):
    path = tmp_path / "x.json"
    path.write_text("old")

    def fail(unfinished):
        unfinished.write_text("ne")
        raise failure

    with pytest.raises(failure), write_whole(path) as unfinished:
        fail(unfinished)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    path, forced = tmp_path / "x.json", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: forced.append(path.exists()))
    with write_whole(path) as unfinished:
        unfinished.write_text("new")
    assert forced == [False]


def test_two_may_write_the_same_file_at_once(tmp_path):
    path = tmp_path / "x.json"
    with write_whole(path) as first, write_whole(str(path)) as second:
        first.write_text("first")
        second.write_text("second")
        assert first != second
    assert path.read_text() == "first"  # whose block ends last
