"""The paper's larger networks, for TFD faces and CIFAR-10, from the authors' published configurations."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gan.networks import base
from gan.networks.layers import Dense, Dropout, Maxout, MaxoutConv2d

MakeDense = Callable[..., Dense]


class Generator(base.Generator):
    """A stack of dense layers; the last one has one unit per pixel.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images.
        layers: for each hidden layer, a factory called with the width of its input.
        output: a factory for the last layer, called with the width of its input and the number of units.
        mean_bias: whether the output's biases start at logit(mean image), for a sigmoid output.
        centre, spread: a pixel is centre + spread · output, clipped to [0, 1] in evaluation mode.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        layers: Sequence[MakeDense],
        output: MakeDense,
        mean_bias: bool = False,
        centre: float = 0.0,
        spread: float = 1.0,
    ) -> None:
        super().__init__()
        self.latent_dim, self.image_shape, self.mean_bias = latent_dim, tuple(image_shape), mean_bias
        self.centre, self.spread = centre, spread
        self.hidden, width = stack(latent_dim, layers)
        self.output = output(width, units=math.prod(self.image_shape))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return pixels(self, self.output(self.hidden(z)).unflatten(1, self.image_shape))  # (B, C, H, W)

    def adapt_to_data(self, mean_image: Callable[[], Tensor]) -> None:
        if self.mean_bias:
            with torch.no_grad():  # 1e-7 away from 0 and 1, as in pylearn2
                self.output.linear.bias.copy_(mean_image().flatten().clamp(1e-7, 1 - 1e-7).logit())


class Prepended(base.Generator):
    """A trained generator preceded by new layers, which map z to better latents for it.

    The second stage of the authors' TFD training. All layers are trained.

    Args:
        latent_dim: length of z.
        layers: for each new layer, a factory called with the width of its input. The last layer is as wide as the
            generator's latent.
        generator: the generator of the first stage.
        start_from: the checkpoint with its weights; None for random weights.
    """

    def __init__(
        self,
        latent_dim: int,
        layers: Sequence[MakeDense],
        generator: Generator,
        start_from: str | None = None,
    ) -> None:
        super().__init__()
        self.front, width = stack(latent_dim, layers)
        if width != generator.latent_dim:
            raise ValueError(f"the last of layers has {width} units, the generator's noise {generator.latent_dim}")
        self.generator, self.start_from = generator, start_from

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.generator(self.front(z))

    def adapt_to_data(self, mean_image: Callable[[], Tensor]) -> None:
        if self.start_from is None:
            self.generator.adapt_to_data(mean_image)

    def load_trained(self, weights: dict[str, Tensor]) -> None:
        self.generator.load_state_dict(weights)


class DeconvolutionalGenerator(base.Generator):
    """Dense layers whose output is reshaped to a small feature map, then one transposed convolution.

    Args:
        latent_dim: length of z.
        image_shape: (C, H, W) of the images.
        layers: for each dense layer, a factory called with the width of its input.
        channels: channels of the feature map; its side follows from the width of the last dense layer.
        kernel, stride: of the transposed convolution: H = stride · (side - 1) + kernel.
        init_range: its weights start uniform on [-init_range, init_range].
        centre, spread: a pixel is centre + spread · output, clipped to [0, 1] in evaluation mode.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        layers: Sequence[MakeDense],
        channels: int,
        kernel: int,
        stride: int,
        init_range: float,
        centre: float = 0.0,
        spread: float = 1.0,
    ) -> None:
        super().__init__()
        image_channels, *size = image_shape
        self.hidden, width = stack(latent_dim, layers)
        side = math.isqrt(width // channels)
        reached = stride * (side - 1) + kernel
        if channels * side**2 != width or size != [reached, reached]:
            raise ValueError(
                f"{width} units as {channels} channels of {side}×{side} become {reached}×{reached} pixels, "
                f"the images have {size[0]}×{size[1]}"
            )
        self.small_shape, self.centre, self.spread = (channels, side, side), centre, spread
        self.output = nn.ConvTranspose2d(channels, image_channels, kernel, stride, bias=False)
        nn.init.uniform_(self.output.weight, -init_range, init_range)
        self.bias = nn.Parameter(torch.zeros(tuple(image_shape)))  # one bias per pixel

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        small = self.hidden(z).unflatten(1, self.small_shape)  # (B, channels, side, side)
        return pixels(self, self.output(small) + self.bias)  # (B, C, H, W)


class ConvolutionalDiscriminator(base.Discriminator):
    """Convolutional maxout layers and one dense maxout layer, with dropout before each layer, then one logit.

    Args:
        image_shape: (C, H, W) of the images.
        convolutions: for each convolutional layer, a factory called with the number of its input channels.
        units, pieces: of the dense maxout layer.
        init_range: dense weights start uniform on [-init_range, init_range].
        input_dropout: share of pixels dropped in training, in [0, 1).
        hidden_dropout: share of hidden units dropped in training, in [0, 1).
        centre, spread: the input is (pixel - centre) / spread.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        convolutions: Sequence[Callable[[int], MaxoutConv2d]],
        units: int,
        pieces: int,
        init_range: float,
        input_dropout: float,
        hidden_dropout: float,
        centre: float = 0.0,
        spread: float = 1.0,
    ) -> None:
        super().__init__()
        self.centre, self.spread = centre, spread
        layers: list[nn.Module] = [Dropout(input_dropout)]
        channels = image_shape[0]
        for make in convolutions:
            layer = make(channels)
            layers += [layer, Dropout(hidden_dropout)]
            channels = layer.channels
        with torch.no_grad():
            width = nn.Sequential(*layers).eval()(torch.zeros(1, *image_shape)).numel()
        layers += [nn.Flatten(), Maxout(width, units, pieces, init_range), Dropout(hidden_dropout)]
        self.layers = nn.Sequential(*layers, Dense(units, 1, nn.Identity(), init_range)).train()

    def score(self, x: Tensor) -> Tensor:
        return self.layers((x - self.centre) / self.spread).squeeze(1)

    def features(self, x: Tensor) -> Tensor:
        return self.layers[:-1]((x - self.centre) / self.spread)  # (B, units)

    def logit(self, features: Tensor) -> Tensor:
        return self.layers[-1](features).squeeze(1)


def stack(width: int, layers: Sequence[MakeDense]) -> tuple[nn.Sequential, int]:
    """Builds layers in sequence, the first for inputs of ``width``; returns them and the width of the last."""
    made: list[Dense] = []
    for make in layers:
        made.append(make(width))
        width = made[-1].linear.out_features
    return nn.Sequential(*made), width


def pixels(network: Generator | DeconvolutionalGenerator, x: Tensor) -> Tensor:
    """The network's outputs as pixels: clipped to [0, 1] in evaluation mode, unclipped in training for the gradient."""
    x = x * network.spread + network.centre
    return x if network.training else x.clamp(0, 1)
