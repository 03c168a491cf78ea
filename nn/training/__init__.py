"""All that trains a network and nothing of what a network is: losses, metrics, the loop, checkpoints."""

from nn.training.checkpoints import CheckpointMismatchError as CheckpointMismatchError
from nn.training.checkpoints import TrainingCheckpoints as TrainingCheckpoints
from nn.training.checkpoints import load_weights as load_weights
from nn.training.checkpoints import save_weights as save_weights
from nn.training.compilation_cache import enable_compilation_cache as enable_compilation_cache
from nn.training.loop import History as History
from nn.training.loop import NonFiniteLossError as NonFiniteLossError
from nn.training.loop import evaluate as evaluate
from nn.training.loop import fit as fit
from nn.training.loop import predict as predict
from nn.training.losses import classification_loss as classification_loss
from nn.training.losses import mean_squared_error as mean_squared_error
from nn.training.losses import sigmoid_cross_entropy as sigmoid_cross_entropy
from nn.training.losses import softmax_cross_entropy as softmax_cross_entropy
from nn.training.metrics import accuracy as accuracy
from nn.training.metrics import confusion_matrix as confusion_matrix
from nn.training.metrics import top_k_accuracy as top_k_accuracy
