# SPDX-License-Identifier: Apache-2.0
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from export.data.synthetic import render_scene
from tests.paths import EXAMPLES

SCRIPT = EXAMPLES / "degradation_statistics.py"
MODULE = runpy.run_path(str(SCRIPT))


@settings(max_examples=20, deadline=None)
@given(slope=st.floats(-4, 0), seed=st.integers(0, 10**6))
def test_spectrum_slope_of_filtered_noise_is_the_filters(slope: float, seed: int) -> None:
    noise = np.fft.fft2(np.random.default_rng(seed).standard_normal((192, 256)))
    frequency = np.hypot(np.fft.fftfreq(192)[:, None], np.fft.fftfreq(256)[None])
    frequency[0, 0] = 1
    picture = np.fft.ifft2(noise * frequency ** (slope / 2)).real
    assert MODULE["spectrum_slope"](100 * picture / picture.std()) == pytest.approx(slope, abs=0.25)


def test_statistics_of_a_known_frame_are_as_said() -> None:
    frame = np.zeros((20, 40, 3), dtype=np.uint8)
    frame[:, :10] = 255
    frame[:, 10:20] = (100, 200, 50)
    _, white, black, mean, _, red, blue = MODULE["statistics"](frame)
    assert (white, black) == (25, 50)
    assert mean == pytest.approx((255 + 350 / 3) / 4)
    assert (red, blue) == pytest.approx((355 / 455, 305 / 455))


def test_table_has_the_clean_frames_the_photographs_and_every_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("clean", "dusk"):
        (tmp_path / folder).mkdir()
        for number in range(4):
            frame = render_scene(np.random.default_rng(number), 48, 96)[0]
            Image.fromarray(frame // (1 if folder == "clean" else 3)).save(tmp_path / folder / f"{number}.png")
    words = ["--frames", f"{tmp_path}/clean", "--photographs", f"{tmp_path}/dusk", "--every", "2"]
    MODULE["main"]([*words, "--kinds", "fog", "drops", "--severities", "5"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0].strip("| ") for row in rows] == [
        *(f"clean, {share}" for share in ("lowest 2 %", "median", "highest 2 %")),
        "dusk",
        "`fog` 5",
        "`drops` 5",
    ]
    assert float(rows[3][4]) == pytest.approx(float(rows[1][4]) / 3, abs=1.5)
    assert {len(row) for row in rows} == {8}
