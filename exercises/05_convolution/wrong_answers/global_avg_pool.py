"""Wrong answers to `global_avg_pool` that a student writes; exercises.toml says what is wrong with each."""


def _checked(x, spatial_axes):
    if x.ndim < spatial_axes + 1 or 0 in x.shape[-spatial_axes - 1 : -1]:
        raise ValueError(f"global_avg_pool got x.shape={x.shape}.")
    return tuple(range(-spatial_axes - 1, -1))


def batch_averaged_too(x, spatial_axes=2):
    _checked(x, spatial_axes)
    return x.mean(tuple(range(x.ndim - 1)))


def axes_counted_from_the_front(x, spatial_axes=2):
    _checked(x, spatial_axes)
    return x.mean(tuple(range(1, min(spatial_axes + 1, x.ndim))))


def features_averaged(x, spatial_axes=2):
    _checked(x, spatial_axes)
    return x.mean(tuple(range(-spatial_axes, 0)))


def sum_over_positions(x, spatial_axes=2):
    return x.sum(_checked(x, spatial_axes))


def largest(x, spatial_axes=2):
    return x.max(_checked(x, spatial_axes))


def axes_kept(x, spatial_axes=2):
    return x.mean(_checked(x, spatial_axes), keepdims=True)


def always_two_axes(x, spatial_axes=2):
    _checked(x, spatial_axes)
    return x.mean((-3, -2))


def empty_is_nan(x, spatial_axes=2):
    return x.mean(tuple(range(-spatial_axes - 1, -1)))
