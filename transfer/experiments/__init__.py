"""Named experiments, one file each; lessons, the command line and the tests all run these same functions."""

from transfer.experiments.domain_shift import DOMAIN_SHIFT as DOMAIN_SHIFT
from transfer.experiments.experiment import Experiment as Experiment
from transfer.experiments.experiment import run as run
from transfer.experiments.few_labels import FEW_LABELS as FEW_LABELS
from transfer.experiments.how_much_moves import FINE_TUNING as FINE_TUNING
from transfer.experiments.how_much_moves import FINE_TUNING_ELSEWHERE as FINE_TUNING_ELSEWHERE
from transfer.experiments.layer_curve import LAYER_CURVE as LAYER_CURVE
from transfer.experiments.layer_curve import LAYER_CURVE_LONGER as LAYER_CURVE_LONGER
from transfer.experiments.learning_curves import LEARNING_CURVES as LEARNING_CURVES
from transfer.experiments.negative_transfer import NEGATIVE_TRANSFER as NEGATIVE_TRANSFER
from transfer.experiments.registry import EXPERIMENTS as EXPERIMENTS
from transfer.experiments.source_choice import SOURCE_CHOICE as SOURCE_CHOICE
from transfer.experiments.spam_filter import SPAM_FILTER as SPAM_FILTER
from transfer.experiments.two_tasks import TWO_TASKS as TWO_TASKS
from transfer.experiments.unlike_source import UNLIKE_SOURCE as UNLIKE_SOURCE
from transfer.experiments.without_labels import WITHOUT_LABELS as WITHOUT_LABELS
from transfer.experiments.zero_shot import ZERO_SHOT as ZERO_SHOT
