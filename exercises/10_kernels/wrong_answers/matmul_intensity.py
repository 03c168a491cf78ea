"""Wrong answers to `matmul_intensity` that a student writes; exercises.toml says what is wrong with each."""


def _checked(*sizes):
    if min(sizes) < 1:
        raise ValueError(f"matmul_intensity got {sizes}.")


def _tiles(m, n, rows, columns):
    return -(-m // rows), -(-n // columns)


def one_operation_each(m, k, n, *, rows, columns, itemsize=4):
    _checked(m, k, n, rows, columns, itemsize)
    down, across = _tiles(m, n, rows, columns)
    return m * k * n / (itemsize * (across * m * k + down * k * n + m * n))


def writes_forgotten(m, k, n, *, rows, columns, itemsize=4):
    _checked(m, k, n, rows, columns, itemsize)
    down, across = _tiles(m, n, rows, columns)
    return 2 * m * k * n / (itemsize * (across * m * k + down * k * n))


def tiles_ignored(m, k, n, *, rows, columns, itemsize=4):
    _checked(m, k, n, rows, columns, itemsize)
    return 2 * m * k * n / (itemsize * (m * k + k * n + m * n))


def rows_and_columns_swapped(m, k, n, *, rows, columns, itemsize=4):
    _checked(m, k, n, rows, columns, itemsize)
    down, across = _tiles(m, n, rows, columns)
    return 2 * m * k * n / (itemsize * (down * m * k + across * k * n + m * n))


def last_tiles_left_out(m, k, n, *, rows, columns, itemsize=4):
    _checked(m, k, n, rows, columns, itemsize)
    down, across = max(m // rows, 1), max(n // columns, 1)
    return 2 * m * k * n / (itemsize * (across * m * k + down * k * n + m * n))


def last_tiles_taken_for_whole(m, k, n, *, rows, columns, itemsize=4):
    _checked(m, k, n, rows, columns, itemsize)
    down, across = _tiles(m, n, rows, columns)
    return 2 * m * k * n / (itemsize * (down * across * (rows * k + k * columns) + m * n))


def always_four_bytes(m, k, n, *, rows, columns, itemsize=4):
    _checked(m, k, n, rows, columns, itemsize)
    down, across = _tiles(m, n, rows, columns)
    return 2 * m * k * n / (4 * (across * m * k + down * k * n + m * n))


def bytes_for_each_operation(m, k, n, *, rows, columns, itemsize=4):
    _checked(m, k, n, rows, columns, itemsize)
    down, across = _tiles(m, n, rows, columns)
    return itemsize * (across * m * k + down * k * n + m * n) / (2 * m * k * n)


def anything_accepted(m, k, n, *, rows, columns, itemsize=4):
    rows, columns, itemsize = (max(size, 1) for size in (rows, columns, itemsize))
    down, across = _tiles(m, n, rows, columns)
    return 2 * m * k * n / (itemsize * (across * m * k + down * k * n + m * n))
