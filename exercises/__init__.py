"""Exercises: blanks with the library's own signatures, and tests that say what is wrong.

`python -m exercises` lists, checks and hints; `python -m pytest exercises/03_feedforward` runs a topic's tests directly.
"""
