"""Every experiment by its name, as the command line knows it."""

from transfer.experiments.domain_shift import DOMAIN_SHIFT
from transfer.experiments.few_labels import FEW_LABELS
from transfer.experiments.how_much_moves import FINE_TUNING, FINE_TUNING_ELSEWHERE
from transfer.experiments.layer_curve import LAYER_CURVE, LAYER_CURVE_LONGER
from transfer.experiments.learning_curves import LEARNING_CURVES
from transfer.experiments.negative_transfer import NEGATIVE_TRANSFER
from transfer.experiments.source_choice import SOURCE_CHOICE
from transfer.experiments.spam_filter import SPAM_FILTER
from transfer.experiments.two_tasks import TWO_TASKS
from transfer.experiments.unlike_source import UNLIKE_SOURCE
from transfer.experiments.without_labels import WITHOUT_LABELS
from transfer.experiments.zero_shot import ZERO_SHOT

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        FEW_LABELS,
        NEGATIVE_TRANSFER,
        FINE_TUNING,
        FINE_TUNING_ELSEWHERE,
        WITHOUT_LABELS,
        LAYER_CURVE,
        LAYER_CURVE_LONGER,
        SOURCE_CHOICE,
        DOMAIN_SHIFT,
        TWO_TASKS,
        ZERO_SHOT,
        LEARNING_CURVES,
        UNLIKE_SOURCE,
        SPAM_FILTER,
    )
}
