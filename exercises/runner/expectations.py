"""What the tests say when an answer is wrong: what was called, what came back, what was expected, and why.

A bare `assert` shows a student the test's code. These show the student's own function from outside.
"""

from collections.abc import Callable
from typing import Any

import numpy as np


def expect(got: Any, expected: Any, call: str, because: str = "", *, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Asserts that a call returned an array with the expected shape and values; NaN equals NaN.

    Args:
      got: what the call returned.
      expected: an array, or what numpy makes one of.
      call: the call in words, as `relu(x) with x = [0. 1.]`.
      because: the sentence that explains the expected value.
      rtol: tolerance relative to the expected value.
      atol: absolute tolerance.

    Raises:
      AssertionError: with the call, both values and the reason.
    """
    expected = np.asarray(expected)
    if got is None:
        raise AssertionError(explain(call, returned_value(got), compact(expected), because))
    if not hasattr(got, "shape"):
        raise AssertionError(explain(call, f"{got!r}, a {type(got).__name__}", compact(expected), because))
    got = np.asarray(got)
    if got.shape != expected.shape:
        raise AssertionError(
            explain(call, f"shape {got.shape}: {compact(got)}", f"shape {expected.shape}: {compact(expected)}", because)
        )
    close = np.isclose(got.astype(np.float64), expected, rtol=rtol, atol=atol, equal_nan=True)
    if not close.all():
        first = tuple(int(i) for i in np.argwhere(~close)[0])
        one, other = float(got[first]), float(expected[first])
        # As many digits as it takes to tell the two apart.
        digits = next((d for d in range(5, 17) if f"{one:.{d}g}" != f"{other:.{d}g}"), 17)
        message = explain(call, compact(got, digits), compact(expected, digits), because)
        if digits > 5:
            message += f"\n  differs by  {abs(one - other):.2g} (allowed {atol + rtol * abs(other):.2g})"
        if close.size > 4:
            at = ", ".join(map(str, first))
            message += f"\n  first differs at [{at}]: {one:.{digits + 1}g} instead of {other:.{digits + 1}g}"
        raise AssertionError(message)


def expect_that(holds: Any, call: str, returned: Any, expected: str, because: str = "") -> None:
    """Asserts a claim that is not an equality, as "not negative".

    Raises:
      AssertionError: with the call, what it returned, what was expected and the reason.
    """
    if not bool(holds):
        raise AssertionError(explain(call, returned_value(returned), expected, because))


def expect_refusal(attempt: Callable[[], Any], call: str, because: str = "") -> str:
    """Asserts that a call raises a ValueError, and returns what that says.

    Raises:
      AssertionError: with the call, what came in its place and the reason, if it raises none, or another exception.
    """
    try:
        returned = attempt()
    except ValueError as error:
        return str(error)
    except (TypeError, IndexError, KeyError) as error:  # the words of NumPy or jax, who do not know what was asked for
        came = f"nothing: it stopped with {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    else:
        came = "a function, without complaint" if callable(returned) else returned_value(returned)
    raise AssertionError(explain(call, came, "a ValueError", because))


def explain(call: str, returned: str, expected: str, because: str) -> str:
    """The message of a failed expectation."""
    rows = {"you called": call, "it returned": returned, "expected": expected, "because": because}
    return "\n".join(f"  {label:<12}{text}" for label, text in rows.items() if text)


def returned_value(value: Any) -> str:
    """What came back, on one line; None is nearly always a `return` that is missing."""
    return "None (is there a `return`?)" if value is None else compact(value)


def shown(**arguments: Any) -> str:
    """`x = [1, 2], axis = 0`: arguments by name, short arrays in full."""
    return ", ".join(f"{name} = {compact(value)}" for name, value in arguments.items())


def compact(value: Any, digits: int = 5) -> str:
    """A value on one line: numbers to five digits, a large array by its shape and its first numbers."""
    if not hasattr(value, "__array__"):
        return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
    array = np.asarray(value)
    if array.size > 24:
        first = ", ".join(f"{float(number):.{digits}g}" for number in array.ravel()[:3])
        return f"an array of shape {array.shape} that begins {first} …"
    if array.ndim == 0:
        return f"{float(array):.{digits}g}"
    return f"[{', '.join(compact(part, digits) for part in array)}]"
