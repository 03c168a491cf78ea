import numpy as np
import pytest
from statsmodels.datasets import co2, sunspots

from nn.data import load, prepare
from nn.data.catalogue import BUILDERS
from nn.data.series import Series

SERIES = [name for name, builder in BUILDERS.items() if issubclass(builder, Series)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(years, values) of each series and split."""
    folder = tmp_path_factory.mktemp("data")
    for name in SERIES:
        prepare(name, data_dir=folder)
    return {
        (name, split): tuple(load(name, split, data_dir=folder).arrays()[field] for field in ("year", "value"))
        for name in SERIES
        for split in ("train", "test", "train+test")
    }


@pytest.mark.parametrize("name", SERIES)
def test_a_series_is_stored_in_the_order_of_time_without_gaps_and_its_test_lies_behind_its_past(name, whole):
    for split, count in BUILDERS[name].EXAMPLES.items():
        assert len(whole[name, split][0]) == count
    year, value = whole[name, "train+test"]
    step = {"sunspots": 1, "co2": 1 / 12}[name]
    np.testing.assert_allclose(np.diff(year), step, atol=2e-4)  # in float32 a year near 2000 is right to a ten-thousandth
    assert whole[name, "train"][0][-1] < whole[name, "test"][0][0]
    assert value.shape == year.shape and np.isfinite(value).all()


def test_sunspots_are_those_of_statsmodels(whole):
    year, value = whole["sunspots", "train+test"]
    table = sunspots.load_pandas().data
    np.testing.assert_array_equal(year, table["YEAR"])
    np.testing.assert_allclose(value, table["SUNACTIVITY"], rtol=1e-6)


def test_a_month_of_co2_is_the_mean_of_its_weeks_and_five_months_are_filled_in(whole):
    year, value = whole["co2", "train+test"]
    weeks = co2.load_pandas().data["co2"]
    filled = []
    for middle, mean in zip(year, value, strict=True):
        month = round((middle % 1) * 12 + 0.5)
        measured = weeks[(weeks.index.year == int(middle)) & (weeks.index.month == month)].dropna()
        if len(measured):
            assert mean == pytest.approx(measured.mean(), abs=1e-3)
        else:
            filled.append((int(middle), month))
    assert filled == [(1958, 6), (1958, 10), (1964, 2), (1964, 3), (1964, 4)]
    february = np.argmin(abs(year - (1964 + 1.5 / 12)))
    np.testing.assert_allclose(np.diff(value[february - 1 : february + 4], n=2), 0, atol=1e-3)  # a straight line
