# SPDX-License-Identifier: Apache-2.0
"""Habits of users' code that torch.export cannot follow: the message names line and remedy, and the remedy is applied."""

import functools
import inspect
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.errors import ConversionError
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import build_sampler
from tests.networks import CLASSES, HEIGHT, WIDTH, block, settled

EXAMPLE = torch.zeros(1, 3, HEIGHT, WIDTH)
Middle = Callable[[Tensor], Tensor]


class WithMiddle(nn.Module):
    """A network with one step of another's code in its middle."""

    def __init__(self, middle: Middle) -> None:
        super().__init__()
        self.first, self.head, self.middle = block(3, 4), nn.Conv2d(4, CLASSES, 1), middle

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.middle(self.first(x)))
        return logits


def by_len(x: Tensor) -> Tensor:
    return x.reshape(len(x), -1).reshape(x.shape)


def by_shape(x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], -1).reshape(x.shape)


def by_int(x: Tensor) -> Tensor:
    return x.reshape(int(x.shape[0]), -1).reshape(x.shape)


def by_loop(x: Tensor) -> Tensor:
    return torch.stack([x[i] * 2 for i in range(x.shape[0])])


def at_once(x: Tensor) -> Tensor:
    return x * 2


def by_assertion_on_some(x: Tensor) -> Tensor:
    assert x.shape[0] in (1, 2, 4)
    return x * 2


def by_assertion_on_one(x: Tensor) -> Tensor:
    assert x.shape[0] == 1
    return x * 2


def by_if(x: Tensor) -> Tensor:
    return x * 2 if x.sum() > 0 else x


def by_where(x: Tensor) -> Tensor:
    return torch.where(x.sum(dim=(1, 2, 3), keepdim=True) > 0, x * 2, x)


def by_float(x: Tensor) -> Tensor:
    return x / max(float(x.abs().max()), 1e-6)


def by_amax(x: Tensor) -> Tensor:
    return x / x.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)


def by_numpy(x: Tensor) -> Tensor:
    return torch.from_numpy(x.numpy() * 2)


def by_view_of_one(x: Tensor) -> Tensor:
    return x.view(1, 4, x.shape[2], x.shape[3])


def by_view(x: Tensor) -> Tensor:
    return x.view(-1, 4, x.shape[2], x.shape[3])


def by_tolist(x: Tensor) -> Tensor:
    return x * torch.tensor(x.mean(dim=(1, 2, 3)).tolist()).reshape(-1, 1, 1, 1)


def by_mean(x: Tensor) -> Tensor:
    return x * x.mean(dim=(1, 2, 3), keepdim=True)


def by_key(x: Tensor) -> Tensor:
    return x + {x.shape: 1.0}.get(x.shape, 0.0)


def by_key_of_a_frame(x: Tensor) -> Tensor:
    return x + {x.shape[1:]: 1.0}.get(x.shape[1:], 0.0)


@pytest.mark.parametrize(
    ("broken", "remedy", "mended"),
    [
        (by_tolist, "keep the value in a tensor", by_mean),
        (by_key, r"leave it out of the key: x\.shape\[1:\]", by_key_of_a_frame),
        (by_len, r"x\.shape\[0\] for the batch \(not len\(x\)\)", by_shape),
        (by_int, r"x\.shape\[0\] for the batch, without int\(\)", by_shape),
        (by_loop, "work on all frames at once in place of a loop", at_once),
        (by_assertion_on_some, "leave the check of the number of frames out", at_once),
        (by_assertion_on_one, "leave the check of the number of frames out", at_once),
        (by_if, r"torch\.where in place of `if`", by_where),
        (by_float, "keep the value in a tensor", by_amax),
        (by_numpy, "write it with torch's functions", at_once),
        (by_view_of_one, r"write x\.shape\[0\] or -1 for the batch, not 1", by_view),
    ],
)
def test_capture_error_names_line_and_remedy_which_helps(
    broken: Middle, remedy: str, mended: Middle, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConversionError, match=remedy) as raised:
        build_sampler(settled(WithMiddle(broken)), EXAMPLE, ["first"], mc_samples=4, drop_prob=0.6, block_size=2)
    message = str(raised.value)
    lines, start = inspect.getsourcelines(broken)
    named = re.search(r"test_capture_errors\.py:(\d+) \(`(.*?)`\)", message)
    assert named is not None, message
    assert int(named[1]) in range(start + 1, start + len(lines))
    assert lines[int(named[1]) - start].strip() == named[2]
    assert not re.search(r"\b(zuf|zf|u|s)\d+\b", message)
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")
    works_with(mended)


@functools.cache  # several mistakes have one remedy
def works_with(middle: Middle) -> None:
    works(WithMiddle(middle))


def works(network: nn.Module) -> None:
    """One pass equals S passes for batches of one and three, and the network is as it was."""
    sampler = build_sampler(settled(network), EXAMPLE, ["first"], mc_samples=4, drop_prob=0.6, block_size=2)
    for frames in (1, 3):
        x = torch.randn(frames, 3, HEIGHT, WIDTH)
        with torch.no_grad():
            output, latent_samples = sampler.module(x)
            torch.testing.assert_close(output, network(x), rtol=0, atol=1e-5)
        torch.testing.assert_close(latent_samples, sample_passes(network, x, sampler), rtol=0, atol=1e-5)


def in_place_over_a_view(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, :2].add_(1)
    y[:, 2:] *= 2
    return y


def resized(x: Tensor) -> Tensor:
    return F.interpolate(x[:, :, ::2, ::2], size=x.shape[2:], mode="bilinear")


def under_a_gpus_autocast(x: Tensor) -> Tensor:
    with torch.autocast("cuda", dtype=torch.float16):
        return x * 2


def by_item(x: Tensor) -> Tensor:
    return x * x.mean().item()  # a value of the data, which stays one in the graph


@pytest.mark.filterwarnings("ignore:.*CUDA is not available")
@pytest.mark.parametrize("middle", [by_item, in_place_over_a_view, resized, under_a_gpus_autocast])
def test_build_sampler_of_harmless_habits_works(middle: Middle) -> None:
    works_with(middle)


def test_capture_error_of_a_scripted_module_names_it_and_the_module_itself_helps() -> None:
    class Scripted(nn.Module):
        def __init__(self, *, scripted: bool) -> None:
            super().__init__()
            self.first, self.head = block(3, 4), nn.Conv2d(4, CLASSES, 1)
            self.inner = torch.jit.script(block(4, 4)) if scripted else block(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.head(self.inner(self.first(x))))

    with pytest.raises(
        ConversionError, match=r"a module of torch\.jit, inner.* build the network with the module that was scripted"
    ):
        build_sampler(Scripted(scripted=True).eval(), EXAMPLE, ["first"], mc_samples=4, drop_prob=0.6, block_size=2)
    works(Scripted(scripted=False))


def random_numbers(x: Tensor) -> Tensor:
    return x + torch.randn_like(x)


def always_dropped(x: Tensor) -> Tensor:
    return F.dropout(x, 0.5)


def never_dropped(x: Tensor) -> Tensor:
    return F.dropout(x, 0.5, training=False)


@pytest.mark.parametrize(("broken", "mended"), [(random_numbers, at_once), (always_dropped, never_dropped)])
def test_build_sampler_of_a_random_step_names_its_line_and_the_remedy_helps(broken: Middle, mended: Middle) -> None:
    with pytest.raises(ConversionError, match=r"without randomness .* draw no random numbers") as raised:
        build_sampler(settled(WithMiddle(broken)), EXAMPLE, ["first"], mc_samples=4, drop_prob=0.6, block_size=2)
    lines, start = inspect.getsourcelines(WithMiddle.forward)  # torch.export notes lines of forward methods alone
    assert f"test_capture_errors.py:{start + 1} (`{lines[1].strip()}`)" in str(raised.value)
    works_with(mended)
