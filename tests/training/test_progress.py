"""The progress bar on terminals of several widths, and progress lines without a terminal."""

import io
import re

import pytest

from gan.training.progress import Bar

FIELDS = ["D(x) 0.63", "D(G(z)) 0.54", "loss 1.26/0.64", "11.2k img/s"]


def line(width, done=500, fields=FIELDS):
    bar = Bar(lambda: ("epoch 13/120", fields), total=1000, file=io.StringIO(), ncols=width)
    bar.n = done
    try:
        return str(bar)
    finally:
        bar.close()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_progress_line_fits_the_terminal(width):
    assert len(line(width)) < width


def test_eighty_columns_show_every_field():
    assert line(80).startswith("epoch 13/120  50% ")
    assert all(field in line(80) for field in FIELDS)


def test_bar_fills_the_rest_of_a_wide_terminal():
    filled, rest = re.search(r"\[(#*)(\.*)\]$", line(140, done=250)).groups()
    assert (len(filled), len(rest)) == (5, 15)


def test_narrow_terminal_drops_the_last_fields():
    assert "D(x) 0.63" in line(60)
    assert "img/s" not in line(60)
    assert "[" not in line(60)


def test_line_before_the_first_values_has_percentage_and_time():
    assert re.fullmatch(r"epoch 13/120 +0% \d\d:\d\d<\? \[\.+\]", line(80, done=0, fields=[]))


def test_without_a_terminal_a_line_is_logged_every_ten_percent(configure, run_training, caplog):
    with caplog.at_level("INFO", logger="gan"):
        run_training(configure("trainer.max_steps=40", "callbacks.monitor.every_n_batches=4", "logger=none"))
    lines = [message for message in caplog.messages if message.startswith("epoch ")]
    assert [int(re.search(r"(\d+)%", text)[1]) for text in lines] == list(range(10, 101, 10))
    assert all(re.search(r"D\(x\) 0\.\d\d  D\(G\(z\)\) 0\.\d\d  loss .* img/s$", text) for text in lines)
    assert "\x1b" not in "".join(lines)


def test_log_line_without_a_new_point_does_not_repeat_the_last_one(configure, run_training, caplog):
    with caplog.at_level("INFO", logger="gan"):
        run_training(configure("trainer.max_steps=40", "callbacks.monitor.every_n_batches=14", "logger=none"))
    lines = [message for message in caplog.messages if message.startswith("epoch ")]
    assert [int(re.search(r"(\d+)%", text)[1]) for text in lines if "img/s" in text] == [40, 70, 100]
    assert [text for text in lines if "img/s" not in text] == [
        *(f"epoch 1/2   {share}%" for share in (10, 20, 30, 50)),
        *(f"epoch 2/2   {share}%" for share in (60, 80, 90)),
    ]
