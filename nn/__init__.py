"""Networks and all that trains them: the public surface on one page.

nn.autodiff  reverse-mode differentiation, small enough to read
nn.data      sets by name, and their batches
nn.kernels   forms of the layers' equations that run faster
nn.layers    a function and a module for each layer
nn.models    whole networks
nn.training  losses, metrics, the loop, checkpoints
"""

from nn import autodiff as autodiff
from nn import data as data
from nn import kernels as kernels
from nn import layers as layers
from nn import models as models
from nn import training as training
