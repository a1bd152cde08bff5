# SPDX-License-Identifier: Apache-2.0
"""Names for the offline stage: ``export`` imports the runtime through this module and the package itself alone.

A vehicle needs none of them: it starts from :class:`lsood_runtime.OoDMonitor`. Importing this module loads numpy
and ONNX Runtime alone; Pillow and PyAV are loaded when a file is read. ``export`` and the runtime are released together:
names may be added, renamed or removed here with any release, unlike those of ``lsood_runtime`` itself.

=====================  ==============================================================================================
answers                :class:`AnswerRule`, :class:`Answers`, names of the outputs, :func:`measure_name`,
                       :func:`abnormal_tiles`, :class:`TileEdges`
anomaly maps           :func:`map_edges`, :func:`object_regions`, :func:`cells_of_pixels`, :func:`map_stride`,
                       :class:`MapPictures`, :func:`draw_scale`
bundles                :func:`open_bundle`, :class:`Bundle`, :class:`GoldenFrames`, names and digests of the files,
                       constants of the tolerance
certificates           :func:`parse_certificate`
manifests              :class:`Manifest`, its records, :data:`SCHEMA`, :data:`PRECISIONS`
frames                 :func:`read_frames`, :func:`read_image`, :func:`image_size`, :data:`IMAGE_SUFFIXES`,
                       :class:`PixelRules`, :data:`AS_STATED`, :func:`colour_classes`
files                  :func:`find_files`, :func:`distinct_files`, :func:`is_file_or_lost`, :func:`visible`,
                       :func:`natural_order`, :func:`natural_key`, :func:`objection`, :func:`no_room`, :func:`is_read`,
                       :func:`open_plain`, :func:`read_plain`, :func:`reason_of`
fleets                 :func:`merged_summaries`, :func:`write_sorted_summaries`, edges of the bins
command lines          :class:`OnceParser`, :func:`near_flags`
matplotlib             :func:`keep_matplotlib_out_of_home`
standard streams       :func:`open_missing_streams`, :func:`flush_or_send_nowhere`
sessions               :func:`session_options`: set up as the monitor's own
text                   sentences for reports, :func:`one_line`, :func:`printable`, :func:`in_flags`, :func:`finite_or_none`,
                       :func:`parse_json`, :func:`counted`, :class:`CsvTable`, :func:`csv_reason`
=====================  ==============================================================================================
"""

from lsood_runtime._answers import NO_ANSWERS, AnswerRule, Answers, measure_name
from lsood_runtime._bundle.answer_sentences import answer_sentences, at_most_words
from lsood_runtime._bundle.answers_checks import ANSWER_SHARES
from lsood_runtime._bundle.answers_records import (
    ANOMALY_MAP,
    ANSWER_OUTPUTS,
    CAUSES,
    CLASS_CONFIDENCE,
    LARGEST_SEVERITY,
    NO_CAUSE,
    NOVELTY,
    QUALITY,
    RATE_CONFIDENCE,
    SEVERITY,
    TILES,
    UNKNOWN,
    AnswersRecord,
    CauseRecord,
    ConfidenceRecord,
    MapRecord,
    QualityRecord,
    TilesRecord,
)
from lsood_runtime._bundle.digests import DIGEST_FILE, MANIFEST_FILE, digest_line, sha256_hex
from lsood_runtime._bundle.files import DETECTOR_FILE, GOLDEN_FILE, SEGMENTATION_FILE, WEIGHTS_FILE
from lsood_runtime._bundle.golden import CLASSES, GoldenFrames
from lsood_runtime._bundle.manifest import FIRST_WITH_DIGEST, SCHEMA, Manifest
from lsood_runtime._bundle.reader import Bundle, open_bundle
from lsood_runtime._bundle.records import (
    PRECISIONS,
    CalibrationRecord,
    DetectorRecord,
    EntropyRecord,
    FileRecord,
    FloorRecord,
    GoldenRecord,
    InputContract,
    MasksRecord,
    OperatingPoint,
    ParityRecord,
    PartRecord,
    PixelsRecord,
    PrecisionRecord,
    SegmentationRecord,
    TapRecord,
    noise_name,
)
from lsood_runtime._bundle.score_checks import (
    FRESH_DEVIATIONS,
    SMALLEST_SPREAD,
    TOLERANCE_SHARES,
    pixel_tolerance,
    score_range,
)
from lsood_runtime._bundle.sentences import (
    detector_sentence,
    floor_sentence,
    new_drives_sentence,
    operating_point_sentence,
    part_sentence,
    pixels_sentence,
    precision_sentence,
)
from lsood_runtime._certificate.read_certificate import parse_certificate
from lsood_runtime._command_line import OnceParser, near_flags
from lsood_runtime._destination import is_read, no_room, objection
from lsood_runtime._exceptions import one_line, reason_of
from lsood_runtime._fleet.daily_summary import merged_summaries
from lsood_runtime._fleet.summary_counts import P_VALUE_EDGES, QUALITY_EDGES
from lsood_runtime._fleet.summary_file import write_sorted_summaries
from lsood_runtime._inference.sessions import session_options
from lsood_runtime._maps.cell_classes import map_stride
from lsood_runtime._maps.map_picture import MapPictures, draw_scale
from lsood_runtime._maps.objects import object_regions
from lsood_runtime._maps.spread import cells_of_pixels
from lsood_runtime._matplotlib_folder import keep_matplotlib_out_of_home
from lsood_runtime._media.class_colours import colour_classes
from lsood_runtime._media.file_order import natural_key, natural_order
from lsood_runtime._media.files import read_frames
from lsood_runtime._media.find_files import distinct_files, find_files, is_file_or_lost, visible
from lsood_runtime._media.pictures import IMAGE_SUFFIXES, image_size, read_image
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules, in_flags
from lsood_runtime._plain_file import open_plain, read_plain
from lsood_runtime._rows.csv_reason import csv_reason
from lsood_runtime._standard_streams import flush_or_send_nowhere, open_missing_streams
from lsood_runtime._text.counted import counted
from lsood_runtime._text.csv_table import CsvTable
from lsood_runtime._text.json_values import finite_or_none, parse_json
from lsood_runtime._text.printable import printable
from lsood_runtime._tiles.abnormal import abnormal_tiles
from lsood_runtime._tiles.frame_edges import TileEdges
from lsood_runtime._unknown_objects import map_edges

__all__ = [
    "ANOMALY_MAP",
    "ANSWER_OUTPUTS",
    "ANSWER_SHARES",
    "AS_STATED",
    "CAUSES",
    "CLASSES",
    "CLASS_CONFIDENCE",
    "DETECTOR_FILE",
    "DIGEST_FILE",
    "FIRST_WITH_DIGEST",
    "FRESH_DEVIATIONS",
    "GOLDEN_FILE",
    "IMAGE_SUFFIXES",
    "LARGEST_SEVERITY",
    "MANIFEST_FILE",
    "NOVELTY",
    "NO_ANSWERS",
    "NO_CAUSE",
    "PRECISIONS",
    "P_VALUE_EDGES",
    "QUALITY",
    "QUALITY_EDGES",
    "RATE_CONFIDENCE",
    "SCHEMA",
    "SEGMENTATION_FILE",
    "SEVERITY",
    "SMALLEST_SPREAD",
    "TILES",
    "TOLERANCE_SHARES",
    "UNKNOWN",
    "WEIGHTS_FILE",
    "AnswerRule",
    "Answers",
    "AnswersRecord",
    "Bundle",
    "CalibrationRecord",
    "CauseRecord",
    "ConfidenceRecord",
    "CsvTable",
    "DetectorRecord",
    "EntropyRecord",
    "FileRecord",
    "FloorRecord",
    "GoldenFrames",
    "GoldenRecord",
    "InputContract",
    "Manifest",
    "MapPictures",
    "MapRecord",
    "MasksRecord",
    "OnceParser",
    "OperatingPoint",
    "ParityRecord",
    "PartRecord",
    "PixelRules",
    "PixelsRecord",
    "PrecisionRecord",
    "QualityRecord",
    "SegmentationRecord",
    "TapRecord",
    "TileEdges",
    "TilesRecord",
    "abnormal_tiles",
    "answer_sentences",
    "at_most_words",
    "cells_of_pixels",
    "colour_classes",
    "counted",
    "csv_reason",
    "detector_sentence",
    "digest_line",
    "distinct_files",
    "draw_scale",
    "find_files",
    "finite_or_none",
    "floor_sentence",
    "flush_or_send_nowhere",
    "image_size",
    "in_flags",
    "is_file_or_lost",
    "is_read",
    "keep_matplotlib_out_of_home",
    "map_edges",
    "map_stride",
    "measure_name",
    "merged_summaries",
    "natural_key",
    "natural_order",
    "near_flags",
    "new_drives_sentence",
    "no_room",
    "noise_name",
    "object_regions",
    "objection",
    "one_line",
    "open_bundle",
    "open_missing_streams",
    "open_plain",
    "operating_point_sentence",
    "parse_certificate",
    "parse_json",
    "part_sentence",
    "pixel_tolerance",
    "pixels_sentence",
    "precision_sentence",
    "printable",
    "read_frames",
    "read_image",
    "read_plain",
    "reason_of",
    "score_range",
    "session_options",
    "sha256_hex",
    "visible",
    "write_sorted_summaries",
]
