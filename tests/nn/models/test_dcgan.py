"""The generator, its mirror, and what each of them sees of a batch; what every model must do, test_every_model.py asks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.models import Critic, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig

random = np.random.default_rng(0)


def parameters(build):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(nnx.eval_shape(build), nnx.Param)))


def test_the_published_sizes_have_the_parameters_of_the_figure():
    """Counted from figure 1: 100 numbers, 4 × 4 × 1024, then 512, 256, 128 and 3 channels; windows of 4 × 4 here."""
    windows = 16 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3)
    norms = 2 * (1024 + 512 + 256 + 128)
    start = 101 * 4 * 4 * 1024
    assert parameters(lambda: Generator(GeneratorConfig.dcgan(), rngs=nnx.Rngs(0))) == start + windows + norms + 3
    # In the mirror the first convolution has a bias and no normalization.
    mirrored = windows + 128 + 2 * (256 + 512 + 1024) + 4 * 4 * 1024 + 1
    assert parameters(lambda: Discriminator(DiscriminatorConfig.dcgan(), rngs=nnx.Rngs(0))) == mirrored


@pytest.mark.parametrize(("shape", "channels"), [((28, 28, 1), (4, 3)), ((8, 8, 1), (4, 3)), ((4, 12, 3), (5,))], ids=str)
def test_the_generator_makes_what_the_discriminator_reads(shape, channels):
    def judged(noise):
        generator = Generator(GeneratorConfig(latent_features=5, image_shape=shape, channels=channels), rngs=nnx.Rngs(0))
        config = DiscriminatorConfig(image_shape=shape, channels=channels[::-1])
        image = generator(noise)
        return image, Discriminator(config, rngs=nnx.Rngs(1))(image)

    image, score = jax.eval_shape(judged, jnp.zeros((2, 3, 5)))
    assert image.shape == (2, 3, *shape) and score.shape == (2, 3)


def small(kind, **choices):
    return kind(DiscriminatorConfig(image_shape=(4, 4, 1), channels=(3, 4), **choices), rngs=nnx.Rngs(1))


def test_in_training_a_critic_sees_each_example_alone_and_a_discriminator_the_batch():
    images = jnp.asarray(random.normal(size=(3, 4, 4, 1)), jnp.float32)
    others = images.at[1:].multiply(2)
    for kind, alone in ((Critic, True), (Discriminator, False)):
        first, second = small(kind)(images)[0], small(kind)(others)[0]
        assert (first == second) == alone
    assert not jax.tree.leaves(nnx.state(small(Critic), nnx.BatchStat))


def test_pixels_are_from_minus_1_to_1_and_labels_and_noise_change_them():
    config = GeneratorConfig(latent_features=5, image_shape=(4, 4, 1), channels=(3,), classes=2)
    generator = Generator(config, rngs=nnx.Rngs(0))
    generator.convs[0].kernel[...] *= 1000
    noise = jnp.asarray(random.normal(size=(3, 5)), jnp.float32)
    images = generator(noise, jnp.array([0, 1, 1]))
    assert 0.9 < jnp.abs(images).max() <= 1
    relabelled = generator(noise, jnp.array([1, 1, 1]))
    generator.eval()
    one = generator(jnp.broadcast_to(noise[:1], (2, 5)), jnp.array([0, 1]))
    assert not np.array_equal(images, relabelled) and not np.array_equal(one[0], one[1])


def test_a_label_changes_the_score():
    judge = small(Critic, classes=2)
    image = jnp.ones((2, 4, 4, 1))
    scores = judge(image, jnp.array([0, 1]))
    assert scores[0] != scores[1]


@pytest.mark.parametrize(
    ("config", "choices", "message"),
    [
        (GeneratorConfig, dict(image_shape=(28, 28, 1), channels=(8, 8, 8)), "halved 3 times, once for each of channels"),
        (DiscriminatorConfig, dict(image_shape=(28, 30, 1), channels=(8, 8)), "halved 2 times"),
        (GeneratorConfig, dict(channels=()), r"at least one of channels.* got latent_features=64.*channels=\(\)"),
        (GeneratorConfig, dict(latent_features=0), "sizes of at least 1, got latent_features=0"),
        (DiscriminatorConfig, dict(classes=0), "sizes of at least 1, got image_shape.*classes=0"),
        (DiscriminatorConfig, dict(image_shape=(28, 28)), r"image_shape \(height, width, channels\)"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(config, choices, message, without_type_checks):
    with pytest.raises(ValueError, match=f"{config.__name__} expects .*{message}"):
        config(**choices)


def test_inputs_of_another_shape_and_labels_in_the_wrong_place_are_refused(without_type_checks):
    generator = Generator(GeneratorConfig(latent_features=5, image_shape=(4, 4, 1), channels=(3,)), rngs=nnx.Rngs(0))
    critic, told, labels = small(Critic), small(Critic, classes=2), jnp.zeros(2, int)
    with pytest.raises(ValueError, match=r"Generator expects 5 features on the last axis of x, got x.shape=\(2, 4\)"):
        generator(jnp.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"Critic expects images of shape \(\*batch, 4, 4, 1\), got x.shape=\(2, 4, 5, 1\)"):
        critic(jnp.zeros((2, 4, 5, 1)))
    with pytest.raises(ValueError, match=r"Generator with classes=None expects no labels, got labels.shape=\(2,\)"):
        generator(jnp.zeros((2, 5)), labels)
    with pytest.raises(ValueError, match=r"Critic with classes=2 expects a label for each .* \(2,\), got none"):
        told(jnp.zeros((2, 4, 4, 1)))
    with pytest.raises(ValueError, match=r"expects a label for each of its inputs, of shape \(3,\), got labels.shape=\(2,\)"):
        told(jnp.zeros((3, 4, 4, 1)), labels)
