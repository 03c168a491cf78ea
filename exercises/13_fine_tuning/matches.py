"""Exercise: say by name which part of a network may move.

Every parameter has a name, its path with dots: `hidden.0.kernel`, `head.bias`. A pattern names one, or a module with all that
is in it, as `hidden.0` or `head`. In both `*` stands for anything, dots too.
"""

from fnmatch import fnmatchcase  # noqa: F401 (for your answer)


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern means this path, or a module that the path is in."""
    raise NotImplementedError(
        "TODO: hidden.1.kernel is in the module hidden.1, hidden.10.kernel is not: where is that to be seen?"
    )
