"""Schedules at the ends and in between, and options out of range."""

import pytest

from gan.optim.schedules import Constant, Exponential, Linear


def test_constant_schedule_is_one():
    assert [Constant()(t, 10) for t in (0, 5, 10)] == [1, 1, 1]


def test_linear_holds_then_falls_to_zero():
    schedule = Linear(hold=0.5)
    assert [schedule(t, 100) for t in (0, 50, 75, 100, 120)] == pytest.approx([1, 1, 0.5, 0, 0])


def test_exponential_divides_at_each_update_down_to_the_floor():
    schedule = Exponential(decay=2.0, floor=0.1)
    assert [schedule(t, 100) for t in (0, 1, 3, 4, 50)] == pytest.approx([1, 1 / 2, 1 / 8, 0.1, 0.1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(hold=1.0), "hold must be a number of at least 0 and"),
        (lambda: Exponential(decay=0.9, floor=0), "decay must be a number of at least 1"),
        (lambda: Exponential(decay=1.1, floor=2), "floor must be a number of at least 0 and"),
    ],
)
def test_values_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
