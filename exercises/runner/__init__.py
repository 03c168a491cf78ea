"""What stands behind `python -m exercises`: the catalogue, the answers, the test runs and their messages.

It imports neither jax nor the library, so that listing and hinting are instant.
"""
