"""Atomic writes: a file has all of its new contents or still the old ones."""

import os

import pytest

from gan.core.files import UNFINISHED, naming, write_whole


def test_write_whole_replaces_the_old_contents(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    with write_whole(path) as unfinished:
        unfinished.write_text("new")
        assert unfinished.parent == path.parent
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_error_of_the_system_names_the_file_and_not_the_temporary_one(tmp_path):
    path = tmp_path / "x.json"
    for error in (OSError(28, "No space left on device"), OSError(28, "No space", str(tmp_path / f".x{UNFINISHED}"))):
        with pytest.raises(OSError, match="No space") as raised, write_whole(path):
            raise error
        assert raised.value.filename == str(path)
    with pytest.raises(OSError, match="Permission") as raised, naming(path):
        raise PermissionError(13, "Permission denied", "another")
    assert raised.value.filename == "another"


@pytest.mark.parametrize("failure", [OSError, ValueError, KeyboardInterrupt])
def test_failed_write_leaves_the_old_contents_and_no_other_file(tmp_path, failure):
    path = tmp_path / "x.json"
    path.write_text("old")

    def fail(unfinished):
        unfinished.write_text("ne")
        raise failure

    with pytest.raises(failure), write_whole(path) as unfinished:
        fail(unfinished)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_is_synced_before_it_is_renamed(tmp_path, monkeypatch):
    path, forced = tmp_path / "x.json", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: forced.append(path.exists()))
    with write_whole(path) as unfinished:
        unfinished.write_text("new")
    assert forced == [False]


def test_two_writers_may_write_the_same_file_at_once(tmp_path):
    path = tmp_path / "x.json"
    with write_whole(path) as first, write_whole(str(path)) as second:
        first.write_text("first")
        second.write_text("second")
        assert first != second
    assert path.read_text() == "first"  # its block ends last
