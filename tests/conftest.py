"""What every test runs under: shapes checked against their signatures, no silent broadcasting over ranks, no network.

The hook comes first: it has to be there before `nn` and `transfer` are imported.
"""

from jaxtyping import install_import_hook

# The numeric tower: an int is a float, as type checkers have it.
install_import_hook(["nn", "transfer"], "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

import jax  # noqa: E402
import jaxtyping  # noqa: E402
import pytest  # noqa: E402

from nn.training import enable_compilation_cache  # noqa: E402

enable_compilation_cache()
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def without_type_checks(monkeypatch):
    """Calls reach the library's own checks, as they do outside of the tests, where no checker of types stands before it."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
