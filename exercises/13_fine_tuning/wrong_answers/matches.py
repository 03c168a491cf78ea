"""Wrong answers to `matches` that a student writes; exercises.toml says what is wrong with each."""

import re
from fnmatch import fnmatchcase


def substring(name, pattern):
    return pattern.replace("*", "") in name


def same_beginning(name, pattern):
    return name.startswith(pattern) or fnmatchcase(name, pattern)


def star_behind_the_pattern(name, pattern):
    return fnmatchcase(name, pattern + "*")


def whole_path_only(name, pattern):
    return fnmatchcase(name, pattern)


def modules_only(name, pattern):
    return fnmatchcase(name, f"{pattern}.*")


def star_not_read(name, pattern):
    return name == pattern or name.startswith(f"{pattern}.")


def star_stops_at_a_dot(name, pattern):
    names, patterns = name.split("."), pattern.split(".")
    return len(patterns) <= len(names) and all(map(fnmatchcase, names, patterns))


def any_part_of_the_path(name, pattern):
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*") or pattern in name.split(".")


def anywhere_in_the_path(name, pattern):
    return fnmatchcase(f".{name}.", f"*.{pattern}.*")


def dot_as_in_a_regular_expression(name, pattern):
    return re.fullmatch(pattern.replace("*", ".*") + r"(\..*)?", name) is not None


def the_other_way_round(name, pattern):
    return fnmatchcase(pattern, name) or fnmatchcase(pattern, f"{name}.*")


def the_module_of_a_part_too(name, pattern):
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*") or pattern.startswith(f"{name}.")
