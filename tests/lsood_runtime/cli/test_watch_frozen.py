# SPDX-License-Identifier: Apache-2.0
"""Frozen cameras in ``lsood watch``."""

import json
from pathlib import Path
from typing import Any

import pytest

from lsood_runtime import OoDMonitor
from lsood_runtime._cli.main import run
from lsood_runtime._stream.shown_images import FROZEN_TOLERANCE
from tests.lsood_runtime.conftest import random_frames
from tests.lsood_runtime.recordings import write_recording


def test_watch_frozen_camera_is_invalid_by_time_unless_switched_off(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (frame,) = random_frames(1, 3)
    records = [("/front/image_raw", 10**9 + i * 10**8, 10**9 + i * 10**8, frame) for i in range(15)]
    path = write_recording(tmp_path, "mcap file", records)
    for flags, frozen in (([], 5), (["--frozen-after", "0.5"], 10), (["--frozen-after", "never"], 0)):
        run(["watch", str(toy_bundle), str(path), "--alarm", "15of15", "--json", *flags])
        out, err = capsys.readouterr()
        reasons = [json.loads(line)["reason"] for line in out.splitlines()]
        assert sum("the camera is frozen" in reason for reason in reasons) == frozen
        assert f"of 15 frames {frozen} frozen" in err if frozen else "frozen" not in err
    for wrong in ("0", "off", "nan"):
        with pytest.raises(SystemExit) as caught:
            run(["watch", str(toy_bundle), str(path), "--frozen-after", wrong])
        assert caught.value.code == 2
        assert "expected seconds above 0, or never" in capsys.readouterr().err


def test_watch_frozen_tolerance_is_that_of_the_stream(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a share does is tested where it is used, on pictures of many tiles."""
    path = write_recording(tmp_path, "mcap file", [("/front", 10**9, 10**9, random_frames(1, 3)[0])])
    original, asked = OoDMonitor.stream, list[object]()

    def stream(monitor: OoDMonitor, *arguments: Any, **options: Any) -> Any:
        asked.append(options["frozen_tolerance"])
        return original(monitor, *arguments, **options)

    monkeypatch.setattr(OoDMonitor, "stream", stream)
    for flags in ([], ["--frozen-tolerance", "0.5"], ["--frozen-tolerance", "0"]):
        run(["watch", str(toy_bundle), str(path), "--alarm", "15of15", *flags])
    assert asked == [FROZEN_TOLERANCE, 0.5, 0.0]
    for wrong in ("-0.1", "0.6", "nan", "few"):
        with pytest.raises(SystemExit) as caught:
            run(["watch", str(toy_bundle), str(path), f"--frozen-tolerance={wrong}"])
        assert caught.value.code == 2
        assert "expected a share of tiles from 0 to 0.5" in capsys.readouterr().err
