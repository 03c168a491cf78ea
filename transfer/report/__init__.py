"""An honest answer from seeds: paired intervals, verdicts, tables, figures, JSON and HTML.

Why a room of its own: every experiment and every lesson reports in the same words, so an interval that crosses zero is
called inconclusive everywhere.
"""

from transfer.report.document import read_report as read_report
from transfer.report.document import set_aside as set_aside
from transfer.report.document import write_report as write_report
from transfer.report.figures import accuracy_figure as accuracy_figure
from transfer.report.figures import difference_figure as difference_figure
from transfer.report.outcomes import Outcome as Outcome
from transfer.report.outcomes import outcomes as outcomes
from transfer.report.results import Method as Method
from transfer.report.results import Result as Result
from transfer.report.results import Results as Results
from transfer.report.results import Section as Section
from transfer.report.statistics import Comparison as Comparison
from transfer.report.statistics import Interval as Interval
from transfer.report.statistics import holm as holm
from transfer.report.statistics import mean_interval as mean_interval
from transfer.report.statistics import paired_difference as paired_difference
from transfer.report.statistics import verdict as verdict
from transfer.report.tables import results_table as results_table
from transfer.report.wording import summary as summary
