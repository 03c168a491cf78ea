"""Two measured series as TFDS builders, made from what statsmodels carries: something to forecast, without a download.

The order of a series is what is to be learned, so its splits are not drawn: the past is there to train on, the last years are
there to test.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds


class Series(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """One number for each point in time, in the order of time. A subclass names the series and fetches it."""

    VERSION = tfds.core.Version("1.0.0")
    DESCRIPTION = HOMEPAGE = CITATION = ""
    LICENSE = "public domain"
    FIELDS = ("year", "value")
    EXAMPLES: ClassVar[dict[str, int]] = {}

    def measured(self) -> tuple[np.ndarray, np.ndarray]:
        """The years (n,), with their fractions, and the values (n,)."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {"year": tfds.features.Scalar(np.float32), "value": tfds.features.Scalar(np.float32)}
            ),
            supervised_keys=("year", "value"),
            homepage=self.HOMEPAGE,
            citation=self.CITATION,
            license=self.LICENSE,
            disable_shuffling=True,  # the order is that of time
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        year, value = self.measured()
        past = self.EXAMPLES["train"]
        return {
            "train": self._generate_examples(year[:past], value[:past]),
            "test": self._generate_examples(year[past:], value[past:]),
        }

    def _generate_examples(self, years: np.ndarray, values: np.ndarray) -> Iterator[tuple[int, dict[str, Any]]]:
        for i, (year, value) in enumerate(zip(years, values, strict=True)):
            yield i, {"year": np.float32(year), "value": np.float32(value)}


class Sunspots(Series, skip_registration=True):
    """How many spots the sun had in each year from 1700 to 2008, from statsmodels."""

    name = "sunspots"
    EXAMPLES: ClassVar = {"train": 259, "test": 50}
    DESCRIPTION = (
        "The yearly mean of the number of sunspots, 1700 to 2008. They come and go in cycles of about eleven years, no two of "
        "one height. The last 50 years are there to test."
    )
    HOMEPAGE = "https://www.statsmodels.org/stable/datasets/generated/sunspots.html"
    CITATION = "@misc{sunspots, title={Yearly sunspot numbers, 1700 to 2008}, author={National Geophysical Data Center}}"

    def measured(self) -> tuple[np.ndarray, np.ndarray]:
        from statsmodels.datasets import sunspots

        table: Any = sunspots.load_pandas().data
        return table["YEAR"].to_numpy(), table["SUNACTIVITY"].to_numpy()


class Co2(Series, skip_registration=True):
    """How much carbon dioxide the air on Mauna Loa held in each month from March 1958 to December 2001, from statsmodels."""

    name = "co2"
    EXAMPLES: ClassVar = {"train": 430, "test": 96}
    DESCRIPTION = (
        "Monthly means, in parts per million, of what was measured every week on Mauna Loa, Hawaii: a rise, and on it the "
        "breath of the northern forests, a cycle of one year. Five months without a measurement are filled in with the "
        "straight line between their neighbours. The year of a month is that of its middle. The last eight years are the test."
    )
    HOMEPAGE = "https://www.statsmodels.org/stable/datasets/generated/co2.html"
    CITATION = (
        "@misc{keeling2004atmospheric, title={Atmospheric CO2 concentrations derived from flask air samples at sites in the "
        "SIO network}, author={Keeling, C. D. and Whorf, T. P.}, year={2004}, "
        "howpublished={Carbon Dioxide Information Analysis Center, Oak Ridge National Laboratory}}"
    )

    def measured(self) -> tuple[np.ndarray, np.ndarray]:
        from statsmodels.datasets import co2

        weeks: Any = co2.load_pandas().data
        months = weeks["co2"].resample("MS").mean().interpolate()
        return (months.index.year + (months.index.month - 0.5) / 12).to_numpy(), months.to_numpy()
