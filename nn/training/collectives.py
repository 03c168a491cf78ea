"""What devices send each other, read from the program that XLA compiled: before it runs, and for machines that are not here."""

import re
from collections import Counter
from math import ceil, prod

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
"""The operations in which devices exchange arrays."""

_INSTRUCTION = re.compile(
    r"^\s*(?:ROOT )?%?(?P<name>[\w.-]+) = (?P<type>[^=]+?) (?P<kind>[a-z][a-z-]*)\((?P<operands>.*)$", re.MULTILINE
)
_ARRAY = re.compile(r"\b(?P<dtype>pred|[a-z]+(?P<bits>\d+)\w*)\[(?P<shape>[\d,<=]*)\]")


def collective_bytes(compiled: str) -> dict[str, int]:
    """Bytes of the arrays that devices exchange in one run of a compiled program, by the kind of exchange.

    An array counts as it goes into an all-reduce, a reduce-scatter, an all-to-all or a permute, and as it comes out of an
    all-gather. On a ring of n devices each sends 2 (n − 1) / n of that for an all-reduce, and (n − 1) / n for an all-gather or
    a reduce-scatter. What starts and ends in two instructions counts once; so does the body of a loop, however often it runs.

    Args:
      compiled: the program of one device, `jax.jit(f).lower(...).compile().as_text()`.

    Returns:
      Kind → bytes, such as {"all-reduce": 4096}; a kind that does not occur is left out.
    """
    text = re.sub(r"/\*.*?\*/", "", compiled)
    instructions = [match.groupdict() for match in _INSTRUCTION.finditer(text)]
    types = {instruction["name"]: instruction["type"] for instruction in instructions}
    found = Counter()
    for instruction in instructions:
        kind = instruction["kind"].removesuffix("-start")
        if kind not in KINDS:
            continue
        sent = sum(_bytes(types.get(name, "")) for name in _operands(instruction["operands"]))
        if kind == "all-gather":
            received = _bytes(instruction["type"])
            # The start of one gives back what goes in beside what comes out.
            found[kind] += received - sent if instruction["kind"].endswith("-start") else received
        else:
            found[kind] += sent
    return dict(found)


def _operands(rest: str) -> list[str]:
    """Names of the operands, from what follows an instruction's opening bracket. Some versions write their types, too."""
    depth, end = 1, 0
    while depth and end < len(rest):
        depth += {"(": 1, ")": -1}.get(rest[end], 0)
        end += 1
    return re.findall(r"%([\w.-]+)", rest[: end - 1])


def _bytes(type_: str) -> int:
    """Of all arrays in a type such as `(f32[8,16]{1,0}, bf16[])`."""
    arrays = [match.groupdict() for match in _ARRAY.finditer(type_)]
    sizes = (prod(int(side.lstrip("<=")) for side in array["shape"].split(",") if side) for array in arrays)
    return sum(ceil(size * int(array["bits"] or 8) / 8) for size, array in zip(sizes, arrays, strict=True))
