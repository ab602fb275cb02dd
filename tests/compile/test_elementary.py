from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.compile import elementary

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def close(ours: float, machine: float) -> bool:
    """Within what a machine's library may be off: two units in the last place."""
    return ours == machine or abs(ours - machine) <= 2 * math.ulp(machine)


@given(FINITE)
def test_circles_agree_with_the_machine(number: float) -> None:
    assert close(elementary.sin(number), math.sin(number))
    assert close(elementary.cos(number), math.cos(number))
    assert close(elementary.tan(number), math.tan(number))


@given(FINITE | st.integers(-2000, 2000))
def test_exp_and_log_agree_with_the_machine(number: float) -> None:
    if -700 < number < 700:
        assert close(elementary.exp(number), math.exp(number))
    if number > 0:
        assert close(elementary.log(number), math.log(number))
        assert close(elementary.log10(number), math.log10(number))


@given(st.floats(1e-9, 1e9), st.floats(-30, 30) | st.integers(-30, 30))
def test_powers_agree_with_the_machine(base: float, exponent: float) -> None:
    assert close(elementary.power(base, exponent), base**exponent)


@given(st.integers(-99, 99), st.integers(-99, 99))
def test_powers_of_integers_are_pythons(base: int, exponent: int) -> None:
    if base or exponent >= 0:
        ours = elementary.power(base, exponent)
        assert type(ours) is type(base**exponent)
        assert ours == base**exponent if exponent >= 0 else close(ours, base**exponent)


def test_known_values_are_exact() -> None:
    assert elementary.log10(1000) == 3.0
    assert elementary.log(8, 2) == 3.0
    assert elementary.power(9.0, 0.5) == 3.0
    assert elementary.power(-2.0, 3) == -8.0
    assert elementary.power(2, 3.0) == 8.0
    assert elementary.power(0.0, 0) == elementary.power(0, 0.0) == 1
    assert elementary.exp(1) == math.e
    assert elementary.sin(0) == 0.0
    assert elementary.cos(0.0) == 1.0
    assert elementary.sin(math.pi) == 1.2246467991473532e-16
    assert elementary.sin(1e22) == -0.8522008497671888
    assert elementary.sin(5e-324) == 5e-324
    assert elementary.power(1.5, -70) == 1.5**-70


@pytest.mark.parametrize(
    ("function", "arguments", "error"),
    [
        ("log", (0,), ValueError),
        ("log", (-1.0,), ValueError),
        ("log10", (0.0,), ValueError),
        ("log", (2, 1), ZeroDivisionError),
        ("log", (math.inf,), ValueError),
        ("sin", (math.inf,), ValueError),
        ("exp", (math.nan,), ValueError),
        ("exp", (710,), OverflowError),
        ("exp", (10**9,), OverflowError),
        ("power", (10.0, 309), OverflowError),
        ("power", (10.0, 308.5), OverflowError),
        ("power", (1e308, 2), OverflowError),
        ("power", (0, -1), ZeroDivisionError),
        ("power", (0.0, -0.5), ZeroDivisionError),
        ("power", (-8, 1 / 3), ValueError),
        ("power", (math.inf, 2), ValueError),
    ],
)
def test_outside_their_domains_they_raise(
    function: str, arguments: tuple[float, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(elementary, function)(*arguments)


def test_far_below_the_floats_is_zero() -> None:
    assert elementary.exp(-1e6) == 0.0
    assert elementary.power(10.0, -400) == 0.0
