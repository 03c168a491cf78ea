"""Wrong answers to `same_padding` that a student writes; exercises.toml says what is wrong with each."""


def _checked(window, stride):
    if window < 1 or stride < 1:
        raise ValueError(f"same_padding got window={window}, stride={stride}.")


def _zeros(size, window, stride):
    _checked(window, stride)
    return max((-(-size // stride) - 1) * stride + window - size, 0)


def odd_one_before(size, window, stride=1):
    zeros = _zeros(size, window, stride)
    return zeros - zeros // 2, zeros // 2


def both_sides_alike(size, window, stride=1):
    _checked(window, stride)
    return window // 2, window // 2


def stride_ignored(size, window, stride=1):
    _checked(window, stride)
    return (window - 1) // 2, window - 1 - (window - 1) // 2


def outputs_rounded_down(size, window, stride=1):
    _checked(window, stride)
    zeros = max((size // stride - 1) * stride + window - size, 0)
    return zeros // 2, zeros - zeros // 2


def below_zero(size, window, stride=1):
    _checked(window, stride)
    zeros = (-(-size // stride) - 1) * stride + window - size
    return zeros // 2, zeros - zeros // 2


def all_after(size, window, stride=1):
    return 0, _zeros(size, window, stride)


def keeps_the_size(size, window, stride=1):
    _checked(window, stride)
    zeros = (size - 1) * stride + window - size
    return zeros // 2, zeros - zeros // 2
