# SPDX-License-Identifier: Apache-2.0
"""A network whose map is that of a larger input than its own is refused with the padding under which its map is right."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from export.checkpoint.output_grid import check_output_grid
from export.errors import ConversionError
from export.findings import Finding

SIDES = st.integers(20, 90)


class Blocks(nn.Module):
    """Gives the mean of each block of ``stride`` pixels, of a picture that it pads to a multiple itself."""

    def __init__(self, multiple: int = 1, stride: int = 1, mode: str = "constant", centred: bool = False) -> None:
        super().__init__()
        self.multiple, self.stride, self.mode, self.centred = multiple, stride, mode, centred

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (-length % self.multiple for length in x.shape[2:])
        top, left = (rows // 2, columns // 2) if self.centred else (0, 0)
        x = F.pad(x, (left, columns - left, top, rows - top), mode=self.mode)
        return F.avg_pool2d(x, self.stride, ceil_mode=True)


class Rounding(nn.Module):
    """Goes down by convolutions of stride 2 and up by as many of stride 2 transposed, and never crops."""

    def __init__(self, levels: int, padding: int) -> None:
        super().__init__()
        self.down = nn.Sequential(*[nn.Conv2d(3, 3, 2 + padding, stride=2, padding=padding) for _ in range(levels)])
        self.up = nn.Sequential(*[nn.ConvTranspose2d(3, 3, 2, stride=2) for _ in range(levels)])

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.up(self.down(x))
        return y


class FixedMap(nn.Module):
    """Resizes its input to 64 x 64 itself, and gives a map of that size."""

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, size=(64, 64), mode="bilinear")


class Centre(nn.Module):
    """Convolutions without padding: the map lies over the centre of the input."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., 12:-12, 12:-12]


def checked(network: nn.Module, size: tuple[int, int], pad: int = 1) -> Finding | None:
    """As an export with ``--pad`` checks it."""
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    rows, columns = (-length % pad for length in size)
    padded = F.pad(image, (0, columns, 0, rows))
    with torch.no_grad():
        cells = network.eval()(padded).shape[2:]
    return check_output_grid(network, padded, size, (int(cells[0]), int(cells[1])))


def remedy(network: nn.Module, size: tuple[int, int]) -> int:
    """The multiple that the refusal tells to pad to, which is tried."""
    with pytest.raises(ConversionError, match=r"pads or rounds inside.*give --pad \d+") as caught:
        checked(network, size)
    flag, multiple = caught.value.words
    assert flag == "--pad"
    assert f"--pad {multiple}," in str(caught.value)
    assert checked(network, size, int(multiple)) is None
    return int(multiple)


@settings(max_examples=60, deadline=None)
@given(st.tuples(SIDES, SIDES), st.integers(1, 8))
def test_check_output_grid_of_whole_strides_takes_any_size(size: tuple[int, int], stride: int) -> None:
    assert checked(Blocks(stride=stride), size) is None
    assert checked(nn.Upsample(scale_factor=stride), size) is None


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(SIDES, SIDES),
    st.sampled_from([(8, 1), (8, 4), (14, 1), (14, 2), (16, 2), (32, 1), (32, 4)]),
    st.sampled_from(["constant", "replicate"]),
    st.booleans(),
)
def test_check_output_grid_of_a_network_that_pads_inside_gives_padding_under_which_it_pads_no_more(
    size: tuple[int, int], of_network: tuple[int, int], mode: str, centred: bool
) -> None:
    multiple, stride = of_network
    padded = [length + -length % multiple for length in size]
    # a map that no whole number of pixels a cell gives, counted here one by one
    assume(
        not any(
            all(-(-p // stride) in (h // s, -(-h // s)) for p, h in zip(padded, size, strict=True))
            for s in range(1, 100)
        )
    )
    given_multiple = remedy(Blocks(multiple, stride, mode, centred), size)
    assert [length + -length % given_multiple for length in size] == padded


@settings(max_examples=40, deadline=None)
@given(st.tuples(SIDES, SIDES), st.integers(1, 3), st.sampled_from([0, 1]))
def test_check_output_grid_of_a_network_that_rounds_inside_gives_padding_under_which_nothing_is_rounded(
    size: tuple[int, int], levels: int, padding: int
) -> None:
    assume(any(length % 2**levels for length in size))
    with torch.no_grad():
        network = Rounding(levels, padding)
        assume(tuple(network(torch.zeros(1, 3, *size)).shape[2:]) != size)
    assert remedy(network, size) <= 2**levels


@pytest.mark.parametrize("size", [(50, 60), (48, 64), (64, 40)])
def test_check_output_grid_of_a_map_of_one_size_or_of_the_centre_says_that_it_is_stretched(
    size: tuple[int, int],
) -> None:
    for network in (FixedMap(), Centre()):
        found = checked(network, size)
        assert found is not None
        assert (found.subject, found.origin) == ("map", "guessed")
        assert f"for an input of {size[0]} x {size[1]}" in found.value
