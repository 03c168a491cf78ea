"""Wrong answers to `trains` that a student writes; exercises.toml says what is wrong with each."""

from fnmatch import fnmatchcase


def _matches(name, pattern):
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def every_parameter(name, include, exclude=()):
    return True


def everything_but_the_excluded(name, include, exclude=()):
    return not any(_matches(name, pattern) for pattern in exclude)


def exclude_ignored(name, include, exclude=()):
    return any(_matches(name, pattern) for pattern in include)


def all_patterns_must_mean_it(name, include, exclude=()):
    return all(_matches(name, pattern) for pattern in include) and not any(_matches(name, pattern) for pattern in exclude)


def excluded_by_all_alone(name, include, exclude=()):
    out = bool(exclude) and all(_matches(name, pattern) for pattern in exclude)
    return any(_matches(name, pattern) for pattern in include) and not out


def either_will_do(name, include, exclude=()):
    return any(_matches(name, pattern) for pattern in include) or not any(_matches(name, pattern) for pattern in exclude)


def what_is_frozen(name, include, exclude=()):
    return not any(_matches(name, pattern) for pattern in include) or any(_matches(name, pattern) for pattern in exclude)


def whole_paths_only(name, include, exclude=()):
    return any(fnmatchcase(name, pattern) for pattern in include) and not any(fnmatchcase(name, p) for p in exclude)


def same_beginning(name, include, exclude=()):
    def begins(pattern):
        return fnmatchcase(name, f"{pattern}*")

    return any(map(begins, include)) and not any(map(begins, exclude))


def first_pattern_alone(name, include, exclude=()):
    return bool(include) and _matches(name, include[0]) and not any(_matches(name, pattern) for pattern in exclude)
