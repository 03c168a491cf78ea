"""A list of modules that every supported version of Flax accepts as an attribute."""

from flax import nnx

# Flax 0.12 refuses a plain list of modules and has nnx.List for it; Flax 0.11 takes the plain list and has no nnx.List.
List = getattr(nnx, "List", list)
