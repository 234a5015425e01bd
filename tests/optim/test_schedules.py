"""Schedules at the ends and in between, and options out of range."""

import pytest

from gan.optim.schedules import Constant, Cosine, Exponential, Geometric, Linear


def test_constant_schedule_is_one():
    assert [Constant()(t, 10) for t in (0, 5, 10)] == [1, 1, 1]


def test_linear_holds_then_falls_to_zero():
    schedule = Linear(hold=0.5)
    assert [schedule(t, 100) for t in (0, 50, 75, 100, 120)] == pytest.approx([1, 1, 0.5, 0, 0])


def test_exponential_divides_at_each_update_down_to_the_floor():
    schedule = Exponential(decay=2.0, floor=0.1)
    assert [schedule(t, 100) for t in (0, 1, 3, 4, 50)] == pytest.approx([1, 1 / 2, 1 / 8, 0.1, 0.1])


def test_cosine_goes_from_start_to_end():
    assert [Cosine()(t, 100) for t in (0, 50, 100, 120)] == pytest.approx([1, 0.5, 0, 0])
    early = Cosine(start=1.0, end=0.1, until=0.5)
    # cos(π / 3) = ½ at a sixth of the run
    assert [early(t, 60) for t in (0, 10, 15, 20, 30, 60)] == pytest.approx([1, 0.775, 0.55, 0.325, 0.1, 0.1])


def test_geometric_falls_by_the_same_factor():
    schedule = Geometric(start=1.0, end=0.01)
    assert [schedule(t, 100) for t in (0, 25, 50, 100, 120)] == pytest.approx([1, 0.1**0.5, 0.1, 0.01, 0.01])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(hold=1.0), "hold must be a number of at least 0 and"),
        (lambda: Exponential(decay=0.9, floor=0), "decay must be a number of at least 1"),
        (lambda: Cosine(end=-0.1), "end must be a number of at least 0"),
        (lambda: Cosine(until=0), "until must be a number above 0 and at most 1"),
        (lambda: Geometric(start=1.0, end=0), "end must be a number above 0"),
        (lambda: Exponential(decay=1.1, floor=2), "floor must be a number of at least 0 and"),
    ],
)
def test_values_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
