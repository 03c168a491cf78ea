"""The lessons: each a program in percent format, and the notebook that is built from it."""
