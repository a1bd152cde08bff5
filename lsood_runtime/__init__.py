# SPDX-License-Identifier: Apache-2.0
"""Out-of-distribution monitor for segmentation networks in vehicles; needs numpy and ONNX Runtime alone."""

import os as _os

from lsood_runtime import _command_start as _command_start  # first, since what follows may fail

# ONNX Runtime reads this while it is imported, so it comes before every other import; a value of the user's own is kept.
_os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as _numpy  # before ONNX Runtime, whose own import of it hides what went wrong

try:
    import onnxruntime as _onnxruntime
except ImportError as error:
    raise ImportError(
        "lsood_runtime needs ONNX Runtime: pip install onnxruntime, or 'onnxruntime-gpu[cuda,cudnn]' for CUDA"
    ) from error

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._bundle.manifest import SCHEMA, Manifest
from lsood_runtime._bundle.reader import read_manifest
from lsood_runtime._bundle.records import CalibrationRecord
from lsood_runtime._exceptions import (
    BundleError,
    CameraError,
    ClosedError,
    FrameError,
    LsoodError,
    MediaError,
    ProviderError,
    SelfTestError,
    TileCheckError,
)
from lsood_runtime._fleet.daily_summary import DailySummary
from lsood_runtime._fleet.recorder import SummaryRecorder
from lsood_runtime._fleet.summary_counts import SummaryCounts
from lsood_runtime._fleet.summary_file import read_summaries, write_summaries
from lsood_runtime._hub import HubBundle, pull_bundle, push_bundle
from lsood_runtime._inference.providers import Provider
from lsood_runtime._inference.self_test import SelfTest
from lsood_runtime._maps.objects import UnknownObject
from lsood_runtime._media.message_images import decode_message
from lsood_runtime._media.pixel_rules import PixelRules
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._ort_version import check_ort_version as _check_ort_version
from lsood_runtime._pack import pack_bundle
from lsood_runtime._select.picking import Pick, Selection
from lsood_runtime._select.selector import FrameSelector
from lsood_runtime._stream.alarm_choice import AlarmChoice, choose_alarm
from lsood_runtime._stream.camera_summary import CameraSummary
from lsood_runtime._stream.cusum import Cusum
from lsood_runtime._stream.drift import ScoreHistogram
from lsood_runtime._stream.false_alarms import FalseAlarms, expected_false_alarms
from lsood_runtime._stream.history import History
from lsood_runtime._stream.latest_frame import LatestFrameWorker
from lsood_runtime._stream.policies import Hysteresis, KOfN, MinimumDuration
from lsood_runtime._stream.policy import AlarmState, Evidence, Policy
from lsood_runtime._stream.policy_text import parse_policy
from lsood_runtime._stream.quality_drift import QualityAlarm
from lsood_runtime._stream.stream import Stream
from lsood_runtime._stream.stream_assessment import StreamAssessment
from lsood_runtime._tiles.check import TileCheck
from lsood_runtime._version import __version__

_check_ort_version(_onnxruntime.__version__)
del _check_ort_version, _numpy, _onnxruntime, _os

__all__ = [
    "SCHEMA",
    "AlarmChoice",
    "AlarmState",
    "Assessment",
    "BundleError",
    "CalibrationRecord",
    "CameraError",
    "CameraSummary",
    "ClosedError",
    "Cusum",
    "DailySummary",
    "Evidence",
    "FalseAlarms",
    "FrameError",
    "FrameSelector",
    "History",
    "HubBundle",
    "Hysteresis",
    "KOfN",
    "LatestFrameWorker",
    "LsoodError",
    "Manifest",
    "MediaError",
    "MinimumDuration",
    "OoDMonitor",
    "Pick",
    "PixelRules",
    "Policy",
    "Provider",
    "ProviderError",
    "QualityAlarm",
    "ScoreHistogram",
    "Selection",
    "SelfTest",
    "SelfTestError",
    "State",
    "Stream",
    "StreamAssessment",
    "SummaryCounts",
    "SummaryRecorder",
    "TileCheck",
    "TileCheckError",
    "UnknownObject",
    "__version__",
    "choose_alarm",
    "decode_message",
    "expected_false_alarms",
    "pack_bundle",
    "parse_policy",
    "pull_bundle",
    "push_bundle",
    "read_manifest",
    "read_summaries",
    "write_summaries",
]
