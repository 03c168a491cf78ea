"""ResNet: each block adds something to its input instead of replacing it, so that a hundred layers train as well as ten."""

from dataclasses import dataclass
from typing import Any, Literal

from flax import nnx
from jaxtyping import Array, Float

from nn.layers.activations import relu
from nn.layers.containers import List
from nn.layers.convolution import Conv
from nn.layers.initializers import variance_scaling
from nn.layers.linear import Linear
from nn.layers.normalization import BatchNorm
from nn.layers.pooling import global_avg_pool, max_pool
from nn.models.classifier import Classifier

Images = Float[Array, "*batch height width channels"]
SmallerImages = Float[Array, "*batch height_out width_out channels_out"]


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """What a ResNet is made of. `resnet18`, `resnet50` and `small` are sizes with a name.

    Args:
      in_features: channels of an image, which may be of any height and width.
      stem: what comes first. "large", for photographs: a 7 × 7 convolution and a pooling, which leave a quarter of height and
        width. "small": a 3 × 3 convolution.
      block: "basic", two 3 × 3 convolutions, or "bottleneck", a 3 × 3 convolution between two of 1 × 1 that first narrow the
        image and then widen it to four times `widths`.
      depths: how many blocks each stage has. Every stage but the first halves height and width.
      widths: channels of the 3 × 3 convolutions in each stage.
      skips: whether blocks add their input. False is the plain network that He et al. compare with.
      out_features: one score per class.

    Raises:
      ValueError: if a size is below 1, a name is unknown, or there are not as many depths as widths.
    """

    in_features: int = 3
    stem: Literal["large", "small"] = "large"
    block: Literal["basic", "bottleneck"] = "basic"
    depths: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512)
    skips: bool = True
    out_features: int = 1000

    def __post_init__(self):
        for name in ("depths", "widths"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists, and a config must be hashable
        if len(self.depths) != len(self.widths) or not self.depths:
            raise ValueError(f"ResNetConfig expects a depth for each width, got depths={self.depths}, widths={self.widths}.")
        if min(self.in_features, *self.depths, *self.widths, self.out_features) < 1:
            raise ValueError(
                f"ResNetConfig expects sizes of at least 1, got in_features={self.in_features}, depths={self.depths}, "
                f"widths={self.widths}, out_features={self.out_features}."
            )
        if self.stem not in ("large", "small"):
            raise ValueError(f"ResNetConfig expects stem large or small, got {self.stem!r}.")
        if self.block not in BLOCKS:
            raise ValueError(f"ResNetConfig expects block basic or bottleneck, got {self.block!r}.")

    @classmethod
    def resnet18(cls, **changes: Any) -> "ResNetConfig":
        """18 layers with weights, for photographs of about 224 × 224. Changes are other arguments of the config."""
        sizes: dict[str, Any] = dict(depths=(2, 2, 2, 2))
        return cls(**sizes | changes)

    @classmethod
    def resnet50(cls, **changes: Any) -> "ResNetConfig":
        """50 layers with weights, for photographs of about 224 × 224. Changes are other arguments of the config."""
        sizes: dict[str, Any] = dict(block="bottleneck", depths=(3, 4, 6, 3))
        return cls(**sizes | changes)

    @classmethod
    def small(cls, **changes: Any) -> "ResNetConfig":
        """8 layers with weights, for grey images of about 28 × 28 in ten classes. Changes are other arguments of the config.

        n blocks a stage, `depths=(n, n, n)`, make 6 n + 2 layers: section 4.2 of the paper.
        """
        sizes: dict[str, Any] = dict(in_features=1, stem="small", depths=(1, 1, 1), widths=(16, 32, 64), out_features=10)
        return cls(**sizes | changes)


class BasicBlock(nnx.Module):
    """relu(x + F(x)) with F of two 3 × 3 convolutions, each with a batch norm behind it.

    Args:
      inputs: channels of x.
      width: channels of the output.
      stride: 2 halves height and width.
      skip: whether to add x. Where its shape is not that of the output, a 1 × 1 convolution (`downsample`) gives it that.
      rngs: where the weights come from.
    """

    expansion = 1

    def __init__(self, inputs: int, width: int, *, stride: int, skip: bool, rngs: nnx.Rngs):
        self.skip = skip
        self.conv1, self.bn1 = _conv_and_norm(inputs, width, 3, stride, rngs)
        self.conv2, self.bn2 = _conv_and_norm(width, width, 3, 1, rngs)
        self.downsample = _downsample(inputs, width, stride, skip, rngs)

    def __call__(self, x: Images) -> SmallerImages:
        y = relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return _add_and_bend(self, y, x)


class BottleneckBlock(nnx.Module):
    """relu(x + F(x)) with F of convolutions 1 × 1, 3 × 3 and 1 × 1, each with a batch norm behind it.

    The output has four times `width` channels; the costly 3 × 3 convolution is spared three quarters of them. Arguments as in
    `BasicBlock`. The stride is the 3 × 3 convolution's, as in torchvision's weights; in the paper it is the first one's.
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, *, stride: int, skip: bool, rngs: nnx.Rngs):
        self.skip = skip
        outputs = width * self.expansion
        self.conv1, self.bn1 = _conv_and_norm(inputs, width, 1, 1, rngs)
        self.conv2, self.bn2 = _conv_and_norm(width, width, 3, stride, rngs)
        self.conv3, self.bn3 = _conv_and_norm(width, outputs, 1, 1, rngs)
        self.downsample = _downsample(inputs, outputs, stride, skip, rngs)

    def __call__(self, x: Images) -> SmallerImages:
        y = relu(self.bn1(self.conv1(x)))
        y = relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return _add_and_bend(self, y, x)


BLOCKS = {"basic": BasicBlock, "bottleneck": BottleneckBlock}


def _conv_and_norm(inputs: int, outputs: int, window: int, stride: int, rngs: nnx.Rngs) -> tuple[Conv, BatchNorm]:
    """A convolution that keeps height and width, but for its stride. The batch norm's bias makes its own one needless."""
    conv = Conv(
        inputs,
        outputs,
        (window, window),
        stride,
        padding=window // 2,
        use_bias=False,
        kernel_init=variance_scaling(2.0, "fan_out", "normal"),
        rngs=rngs,
    )
    return conv, BatchNorm(outputs, momentum=0.9, rngs=rngs)


def _downsample(inputs: int, outputs: int, stride: int, skip: bool, rngs: nnx.Rngs) -> Any:
    needed = skip and (stride > 1 or inputs != outputs)
    return List(_conv_and_norm(inputs, outputs, 1, stride, rngs) if needed else [])


def _add_and_bend(block: BasicBlock | BottleneckBlock, y: Array, x: Array) -> Array:
    if not block.skip:
        return relu(y)
    for layer in block.downsample:
        x = layer(x)
    return relu(x + y)


class ResNet(Classifier):
    """A stem, stages of blocks (`layer1`, `layer2`, …), the mean over all positions, then a linear `head`.

    Names are those of torchvision's weights, but for `head`, which is `fc` there. A kernel is (height, width, in, out) here,
    and (out, in, height, width) there.

    Args:
      config: sizes and choices.
      rngs: where the weights come from.

    Raises:
      ValueError: from a call with images of other channels, or without a pixel.

    Reference: He, Zhang, Ren and Sun 2016, "Deep Residual Learning for Image Recognition", table 1 and figure 5.
    """

    def __init__(self, config: ResNetConfig, *, rngs: nnx.Rngs):
        self.config = config
        block = BLOCKS[config.block]
        channels = config.widths[0]
        window, stride = (7, 2) if config.stem == "large" else (3, 1)
        self.conv1, self.bn1 = _conv_and_norm(config.in_features, channels, window, stride, rngs)
        for stage, (depth, width) in enumerate(zip(config.depths, config.widths, strict=True), start=1):
            blocks = []
            for i in range(depth):
                stride = 2 if stage > 1 and i == 0 else 1
                blocks.append(block(channels, width, stride=stride, skip=config.skips, rngs=rngs))
                channels = width * block.expansion
            setattr(self, f"layer{stage}", List(blocks))
        self.head = Linear(channels, config.out_features, rngs=rngs)

    def features(self, x: Images) -> Float[Array, "*batch features"]:
        """The channels of the last stage, each averaged over all positions."""
        x = relu(self.bn1(self.conv1(x)))
        if self.config.stem == "large":
            x = max_pool(x, (3, 3), strides=(2, 2), padding=[(1, 1), (1, 1)])
        for stage in range(1, len(self.config.depths) + 1):
            for block in getattr(self, f"layer{stage}"):
                x = block(x)
        return global_avg_pool(x)
