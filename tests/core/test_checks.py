"""Checks of argument ranges."""

import pytest

from gan.core.checks import ArgumentError, check_integer, check_number
from gan.core.errors import UserError


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("[0, 1)", (0, 0.5, 0.999), (1, -1e-9, float("nan"), float("inf"))),
        ("(0, 1]", (1e-9, 1), (0, 1.001)),
        ("(-inf, inf)", (-1e300, 0, 3), (float("inf"), float("nan"))),
    ],
)
def test_interval_includes_only_its_closed_ends(interval, inside, outside):
    for value in inside:
        check_number(interval, x=value)
    for value in outside:
        with pytest.raises(ArgumentError):
            check_number(interval, x=value)


@pytest.mark.parametrize("value", [True, "1", None, [1], 1.0])
def test_check_integer_refuses_bool_text_none_and_float(value):
    with pytest.raises(ArgumentError, match=r"^k must be a whole number of at least 1, got "):
        check_integer("[1, inf)", k=value)


def test_error_names_the_argument_and_its_range():
    for call, message in (
        (lambda: check_integer(seed="a"), "seed must be a whole number, got a."),
        (lambda: check_integer("[1, 4)", n=4), "n must be a whole number of at least 1 and below 4, got 4."),
        (lambda: check_number("(0, 1]", p=0), "p must be a number above 0 and at most 1, got 0."),
        (lambda: check_number("(0, inf)", or_none=True, p=-1), "p must be a number above 0, or null, got -1."),
        (lambda: check_number("[0, inf)", a=1, b=None), "b must be a number of at least 0, got null."),
    ):
        with pytest.raises(ArgumentError) as error:
            call()
        assert str(error.value) == message


def test_size_fits_into_64_bits():
    check_integer("[0, inf)", n=2**63 - 1)
    check_integer(seed=10**30)
    with pytest.raises(ArgumentError, match=r"^n must be below 2\^63, got 9223372036854775808\.$"):
        check_integer("[0, inf)", n=2**63)


def test_or_none_accepts_none():
    check_number("(0, inf)", or_none=True, p=None)
    check_integer("[1, inf)", or_none=True, p=None)


def test_argument_error_is_a_value_error_and_a_user_error():
    assert issubclass(ArgumentError, ValueError)
    assert issubclass(ArgumentError, UserError)


def test_whole_number_that_torch_cannot_multiply_by_is_refused():
    check_number("[0, inf)", weight=1e300)
    check_number("[0, inf)", weight=2**63 - 1)
    with pytest.raises(ArgumentError, match=r"^weight must be below 2\^63 as a whole number, got 10{20}; write 1e\+20"):
        check_number("[0, inf)", weight=10**20)
    with pytest.raises(ArgumentError, match=r"; write 1e\+300\.$"):
        check_number(weight=-(10**400))
