# SPDX-License-Identifier: Apache-2.0
"""Which frames are accepted, and the messages for the others."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from export.data.synthetic import SyntheticRoads
from lsood_runtime import FrameError, Manifest
from lsood_runtime._inference.arrays import DeviceFrame
from lsood_runtime._inference.camera_faults import camera_fault
from lsood_runtime._inference.frame_check import GREY, check_batch, check_each, check_frame, trusted_frame
from tests.lsood_runtime.bundle.test_manifest import text_with
from tests.lsood_runtime.conftest import HEIGHT, WIDTH

CONTRACT = Manifest.from_json(text_with()).input
SHAPE = (HEIGHT, WIDTH, 3)


def checked_array(frame: object, channels: str = "rgb") -> NDArray[np.uint8]:
    checked = check_frame(frame, CONTRACT, channels)
    assert isinstance(checked, np.ndarray)
    return checked


class Interface:
    """An array of another library that speaks ``__array_interface__`` alone."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        self.__array_interface__ = array.__array_interface__


def test_check_frame_other_libraries_arrays_pass_without_a_copy() -> None:
    frame = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    for other in (torch.from_numpy(frame), Interface(frame), dlpack_alone(frame)):
        checked = checked_array(other)
        np.testing.assert_array_equal(checked[0], frame)
        assert np.shares_memory(checked, frame)
    image = Image.fromarray(frame)
    np.testing.assert_array_equal(checked_array(image)[0], frame)


@pytest.mark.parametrize("check", [check_frame, trusted_frame])
@pytest.mark.parametrize(
    ("channels", "mode", "remedy"),
    [
        *(("rgb", mode, "pass image.convert('RGB')") for mode in ("YCbCr", "HSV", "LAB")),
        *(("bgr", mode, "or open the monitor with channels='rgb'") for mode in ("RGB", "YCbCr", "HSV", "LAB")),
        ("grey", "P", "pass image.convert('L')"),
        ("rgba", "CMYK", "pass image.convert('RGBA')"),
        ("bgra", "RGBA", "opened with channels='rgba'"),
    ],
)
def test_image_whose_mode_states_other_channels_is_refused(
    channels: str, mode: str, remedy: str, check: Callable[..., object]
) -> None:
    rgb = Image.fromarray(np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8))
    image = Image.merge("LAB", rgb.split()) if mode == "LAB" else rgb.convert(mode)
    expected = f"expected a frame in {channels.upper()}, got an image whose mode is {mode}: "
    with pytest.raises(FrameError, match=f"^{re.escape(expected)}.*{re.escape(remedy)}"):
        check(image, CONTRACT, channels)


@pytest.mark.parametrize(("channels", "mode"), [("rgb", "RGB"), ("grey", "L"), ("rgba", "RGBA")])
def test_image_whose_mode_states_the_expected_channels_is_its_array(channels: str, mode: str) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)).convert(mode)
    np.testing.assert_array_equal(checked_array(image, channels), checked_array(np.asarray(image), channels))


@pytest.mark.parametrize("mode", [np.array(["P", "L"]), ["HSV"], None, 3])
def test_array_whose_mode_is_no_word_is_its_pixels(mode: object) -> None:
    image = Interface(np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8))
    expected = checked_array(image)
    vars(image)["mode"] = mode
    for check in (check_frame, trusted_frame):
        np.testing.assert_array_equal(np.asarray(check(image, CONTRACT, "rgb")), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_frame_without_a_finite_value_is_refused_without_a_warning(value: float) -> None:
    with pytest.raises(FrameError, match="a frame that was scaled or normalised"):
        check_frame(np.full(SHAPE, value, np.float32), CONTRACT, "rgb")


def dlpack_alone(frame: NDArray[np.uint8]) -> object:
    """DLPack alone, without numpy's own protocols."""

    class Tensor:
        def __dlpack__(self, **options: Any) -> Any:
            return frame.__dlpack__(**options)

        def __dlpack_device__(self) -> Any:
            return frame.__dlpack_device__()

    return Tensor()


def test_check_frame_array_not_handed_over_is_a_frame_error() -> None:
    class Broken:
        def __dlpack__(self, **options: Any) -> Any:
            raise BufferError("no such memory")

        def __dlpack_device__(self) -> Any:
            return (1, 0)

    with pytest.raises(FrameError, match="Broken does not hand one over: no such memory"):
        check_frame(Broken(), CONTRACT, "rgb")
    with pytest.raises(FrameError, match="Tensor does not hand one over"):
        check_frame(torch.zeros(SHAPE, requires_grad=True), CONTRACT, "rgb")
    with pytest.raises(FrameError, match="float32"):
        check_frame(torch.zeros(SHAPE), CONTRACT, "rgb")


def test_check_frame_other_channel_order_is_turned() -> None:
    frame = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    np.testing.assert_array_equal(checked_array(frame, "bgr")[0], frame[..., ::-1])
    with pytest.raises(FrameError, match="uint8 frame in BGR"):
        check_frame(frame[0], CONTRACT, "bgr")


def test_check_batch_arrays_and_lists_give_one_batch() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, *SHAPE), np.uint8)
    for batch in (frames, list(frames), tuple(frames), torch.from_numpy(frames)):
        np.testing.assert_array_equal(check_batch(batch, CONTRACT, "rgb"), frames)
        np.testing.assert_array_equal(check_batch(batch, CONTRACT, "bgr"), frames[..., ::-1])
    empty: tuple[object, ...] = ([], frames[:0])
    for nothing in empty:
        with pytest.raises(FrameError, match="expected at least one frame, got none"):
            check_batch(nothing, CONTRACT, "rgb")
    with pytest.raises(FrameError, match=r"frame 1 of the batch: expected a \(6, 8, 3\) uint8 frame"):
        check_batch([frames[0], frames[0][1:]], CONTRACT, "rgb")
    with pytest.raises(FrameError, match=r"expected a \(B, 6, 8, 3\) uint8 frame in RGB, got \(6, 8, 3\)"):
        check_batch(frames[0], CONTRACT, "rgb")


@pytest.mark.parametrize("axis", [False, True])
def test_check_frame_grey_becomes_three_equal_channels(axis: bool) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH, 1), np.uint8)
    given_frames = grey if axis else grey[..., 0]
    expected = np.concatenate([grey] * 3, axis=-1)
    np.testing.assert_array_equal(check_batch(given_frames, CONTRACT, GREY), expected)
    np.testing.assert_array_equal(check_batch(list(given_frames), CONTRACT, GREY), expected)
    for check in (check_frame, trusted_frame):
        np.testing.assert_array_equal(check(given_frames[0], CONTRACT, GREY), expected[:1])
        np.testing.assert_array_equal(check(given_frames[0][::1, ::-1], CONTRACT, GREY), expected[:1, :, ::-1])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((HEIGHT, WIDTH, 3), np.uint8), r"expected a \(6, 8\) uint8 frame in GREY, got \(6, 8, 3\) uint8"),
        (np.zeros((HEIGHT, WIDTH), np.uint16), r"got \(6, 8\) uint16"),
        (np.zeros((WIDTH, HEIGHT), np.uint8), r"got \(8, 6\) uint8"),
        (b"grey", "got an object of type bytes"),
    ],
)
def test_check_frame_wrong_grey_frame_is_explained(frame: object, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        check_frame(frame, CONTRACT, GREY)
    with pytest.raises(FrameError, match=r"expected a \(B, 6, 8\) uint8 frame in GREY|object of type bytes"):
        check_batch(frame, CONTRACT, GREY)


def test_check_frame_grey_is_refused_unless_the_monitor_is_for_grey_cameras() -> None:
    for shape in ((HEIGHT, WIDTH), (HEIGHT, WIDTH, 1)):
        with pytest.raises(FrameError, match=r"looks like a grey image: .* open the monitor with channels='grey'"):
            check_frame(np.zeros(shape, np.uint8), CONTRACT, "rgb")


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("contract_order", ["rgb", "bgr"])
def test_check_frame_of_four_channels_leaves_the_fourth_out(order: str, contract_order: str) -> None:
    contract = replace(CONTRACT, channels=contract_order)
    four = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH, 4), np.uint8)
    expected = four[..., :3] if order == contract_order else four[..., 2::-1]
    np.testing.assert_array_equal(check_batch(four, contract, f"{order}a"), expected)
    np.testing.assert_array_equal(check_batch(list(four), contract, f"{order}a"), expected)
    each = [frame for frame in check_each(four, contract, f"{order}a") if not isinstance(frame, FrameError)]
    np.testing.assert_array_equal(np.concatenate(each), expected)
    for check in (check_frame, trusted_frame):
        got = check(four[1], contract, f"{order}a")
        np.testing.assert_array_equal(got, expected[1:2])
        assert isinstance(got, np.ndarray)
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(check(four[1][:, ::-1], contract, f"{order}a"), expected[1:2, :, ::-1])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((HEIGHT, WIDTH, 3), np.uint8), r"expected a \(6, 8, 4\) uint8 frame in BGRA, got \(6, 8, 3\) uint8"),
        (np.zeros((HEIGHT, WIDTH, 4), np.float32), r"got \(6, 8, 4\) float32"),
        (np.zeros((WIDTH, HEIGHT, 4), np.uint8), r"got \(8, 6, 4\) uint8"),
        (np.zeros((HEIGHT, WIDTH), np.uint8), r"got \(6, 8\) uint8"),
        (b"bgra", "got an object of type bytes"),
    ],
)
def test_check_frame_wrong_frame_of_four_channels_is_explained(frame: object, message: str) -> None:
    with pytest.raises(FrameError, match=f"{message}.*or open the monitor with channels='bgr'"):
        check_frame(frame, CONTRACT, "bgra")
    with pytest.raises(FrameError, match=r"expected a \(B, 6, 8, 4\) uint8 frame in BGRA"):
        check_batch(frame, CONTRACT, "bgra")
    with pytest.raises(FrameError, match="expected at least one frame, got none"):
        check_batch(np.zeros((0, HEIGHT, WIDTH, 4), np.uint8), CONTRACT, "bgra")


@settings(max_examples=100, deadline=None)
@given(
    level=st.integers(0, 255),
    other_share=st.floats(0, 0.05),
    shape=st.tuples(st.integers(8, 150), st.integers(8, 40), st.just(3)),
)
def test_camera_fault_shared_by_most_pixels_is_named(
    level: int, other_share: float, shape: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(level)
    frame = np.full(shape, level, np.uint8)
    other = rng.random(shape) < other_share
    frame[other] = (level + 128) % 256
    rows = frame[:: max(1, shape[0] // 64)]
    fault = camera_fault(frame[None])
    alike = float(np.mean(rows == level))
    if alike >= 0.99 and tuple(frame[0, 0]) == (level,) * 3:
        wanted = "black" if level <= 8 else "saturated" if level >= 247 else "of one colour"
        assert fault is not None
        assert fault.startswith(wanted)
    elif 0.02 < alike < 0.98:
        assert fault is None


def test_camera_fault_drawn_scene_has_none() -> None:
    assert camera_fault(SyntheticRoads(1, 96, 192, seed=0)[0][0][None]) is None


def test_check_frame_contiguous_is_not_copied_and_a_view_once() -> None:
    frame = np.zeros(SHAPE, np.uint8)
    assert np.shares_memory(checked_array(frame), frame)
    for view in (np.zeros((*SHAPE[:2], 4), np.uint8)[..., :3], frame[::-1], np.zeros(SHAPE, np.uint8, order="F")):
        checked = checked_array(view)
        assert checked.shape == (1, *SHAPE)
        assert checked.flags.c_contiguous
        assert not np.shares_memory(checked, view)


@pytest.mark.parametrize(
    ("frame", "got", "hint"),
    [
        (np.zeros((3, *SHAPE[:2]), np.float32), "(3, 6, 8) float32", "channels-first tensor in [0, 1]"),
        (np.full((3, *SHAPE[:2]), -2.0), "(3, 6, 8) float64", "channels-first tensor that was scaled or normalised"),
        (np.full(SHAPE, 0.5), "(6, 8, 3) float64", "a frame in [0, 1]: pass the camera's own uint8 image"),
        (np.zeros((3, *SHAPE[:2]), np.uint8), "(3, 6, 8) uint8", "pass frame.transpose(1, 2, 0)"),
        (np.zeros(SHAPE, np.uint16), "(6, 8, 3) uint16", "8-bit"),
        (np.zeros(SHAPE[:2], np.uint8), "(6, 8) uint8", "grey image"),
        (np.zeros((*SHAPE[:2], 1), np.uint8), "(6, 8, 1) uint8", "grey image"),
        (np.zeros((*SHAPE[:2], 4), np.uint8), "(6, 8, 4) uint8", "pass frame[..., :3]"),
        (np.zeros((1, *SHAPE), np.uint8), "(1, 6, 8, 3) uint8", "pass one frame at a time"),
        (np.zeros((WIDTH, HEIGHT, 3), np.uint8), "(8, 6, 3) uint8", "look swapped"),
        (np.zeros((12, 16, 3), np.uint8), "(12, 16, 3) uint8", "8 wide and 6 high"),
        (np.zeros((), np.uint8), "() uint8", "rows, columns and channels"),
        (np.zeros((0, 0, 0)), "(0, 0, 0) float64", "uint8"),
        ([[[0, 0, 0]]], "type list", "numpy.asarray(image)"),
        ("frame.png", "type str", "Read the file first"),
        (None, "type NoneType", "numpy array"),
    ],
)
def test_check_frame_usual_mistake_gets_its_hint(frame: Any, got: str, hint: str) -> None:
    with pytest.raises(FrameError) as caught:
        check_frame(frame, CONTRACT, "rgb")
    message = str(caught.value)
    assert message.startswith("expected a (6, 8, 3) uint8 frame in RGB, got ")
    assert got in message
    assert hint in message
    assert "\n" not in message


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(
        hnp.scalar_dtypes() | hnp.array_dtypes(), hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)
    )
)
def test_check_frame_any_other_array_is_a_frame_error(array: Any) -> None:
    with pytest.raises(FrameError):
        check_frame(array, CONTRACT, "rgb")


class OnCuda:
    """A tensor that says it lies in CUDA memory; it lies in the host's, which is enough to look at shape and dtype."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__()


def test_check_frame_cuda_tensor_that_does_not_fit_is_refused() -> None:
    frame = np.zeros(SHAPE, np.uint8)
    assert isinstance(check_frame(OnCuda(frame), CONTRACT, "rgb"), DeviceFrame)
    with pytest.raises(FrameError, match=r"expected uint8, got tensor\(float\): pass the camera's own image"):
        check_frame(OnCuda(frame.astype(np.float32)), CONTRACT, "rgb")
    for wrong in (frame[1:], frame[None]):
        with pytest.raises(FrameError, match=r"expected a \(6, 8, 3\) uint8 frame in RGB, got .* on cuda: pass"):
            check_frame(OnCuda(wrong), CONTRACT, "rgb")


def test_check_batch_list_of_cuda_tensors_is_refused() -> None:
    frame = np.zeros(SHAPE, np.uint8)
    with pytest.raises(FrameError, match="frame 1 of the batch: expected host memory, or all frames in one tensor"):
        check_batch([frame, OnCuda(frame)], CONTRACT, "rgb")


@pytest.mark.parametrize("frame", [None, "frame.png", np.uint8(3), np.array(3, np.uint8)])
def test_trusted_frame_no_array_is_refused(frame: object) -> None:
    with pytest.raises(FrameError, match=r"expected a \(6, 8, 3\) uint8 frame in RGB, got "):
        trusted_frame(frame, CONTRACT, "rgb")
