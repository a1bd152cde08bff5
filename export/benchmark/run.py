# SPDX-License-Identifier: Apache-2.0
"""Evaluate a bundle on the published data sets that are there, by the same evaluation as any other frames."""

from pathlib import Path

from export.atomic_write import scratch_folder
from export.benchmark.options import BenchmarkOptions, SplitChoice, split_choice
from export.benchmark.prepare import FrameFolders, PreparedSet
from export.benchmark.present import folder_of_dataset
from export.benchmark.result import BenchmarkResult, SkippedDataset
from export.datasets.layouts import LAYOUTS
from export.errors import UsageError
from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
from export.option_table import check_limits
from export.reporter import SILENT, Reporter
from lsood_runtime import Manifest, read_manifest


def run_benchmark(options: BenchmarkOptions, reporter: Reporter = SILENT) -> BenchmarkResult:
    """Judge a bundle on a data set in distribution and on others as shifts, and its anomaly map by their masks.

    Frames are prepared in a hidden folder beside ``options.out``, which is gone afterwards; nothing else is written.

    Raises:
        UsageError: a data set that was asked for is missing or cannot be used, or there is nothing to compare with.
        BundleError: a damaged bundle, or one without the operating point.
    """
    check_limits(options)
    if not options.root.is_dir():
        raise UsageError(f"expected a folder of data sets, found none at {options.root}: check --root")
    ind, fit = split_choice(options.ind), None if options.fit is None else split_choice(options.fit)
    if fit == ind:
        raise UsageError(f"expected other frames to fit on than {ind}, which is judged: choose another split")
    choices = [split_choice(word) for word in options.datasets]
    _check_choices(choices, ind, fit)
    choices = choices or all_others(ind)
    fitted = [choice for choice in choices if choice == fit]
    manifest = read_manifest(options.bundle)
    manifest.choose_operating_point(options.operating_point)
    no_masks = None if _gives_a_map(manifest) else "the bundle gives no anomaly map: export it with --answers map"
    no_labels = _no_labels(ind, manifest)
    with scratch_folder(options.out) as scratch:
        folders = FrameFolders(
            scratch, manifest.input.frame_height, manifest.input.frame_width, options.resize, options.most
        )

        def add(choice: SplitChoice, root: Path, *, truth: bool = True, by_part: bool) -> list[PreparedSet]:
            place = folders.masks if choice.layout.masks_unknown else folders.labels
            same = choice.layout.masks_unknown or choice.layout.classes == ind.layout.classes
            left_out = no_masks if choice.layout.masks_unknown else no_labels
            return folders.add(
                choice, root, place if truth and same and left_out is None else None, reporter, by_part=by_part
            )

        (own,) = add(ind, folder_of_dataset(options.root, ind), by_part=False)
        sets: list[PreparedSet] = []
        skipped = [
            SkippedDataset(choice.layout.name, "other scores are fitted on these frames", False) for choice in fitted
        ]
        for choice in [choice for choice in choices if choice != fit]:
            folder: Path | None = None
            try:
                folder = folder_of_dataset(options.root, choice)
                sets += add(choice, folder, by_part=True)
            except UsageError as error:
                if options.datasets:
                    raise
                skipped.append(SkippedDataset(choice.layout.name, str(error), folder is None))
                if folder is not None:
                    reporter.stage(f"warning: {choice} is skipped: {error}")
        if not sets:
            raise UsageError(_nothing(options, skipped))
        others = [] if fit is None else add(fit, folder_of_dataset(options.root, fit), truth=False, by_part=False)
        evaluation = evaluate(_evaluation(options, folders, own, sets, others), reporter)
    return BenchmarkResult(options, evaluation, own, tuple(sets), tuple(skipped), no_labels, no_masks)


def _check_choices(choices: list[SplitChoice], ind: SplitChoice, fit: SplitChoice | None) -> None:
    """Refuse frames that would be judged twice, against themselves, or by what was fitted on them."""
    for number, choice in enumerate(choices):
        if choice == ind:
            raise UsageError(
                f"expected other frames to compare with than {ind}, which is in distribution: leave it out"
            )
        if choice == fit:
            raise UsageError(
                f"expected other frames to compare with than {fit}, on which scores are fitted: leave it out"
            )
        if choice in choices[:number]:
            raise UsageError(f"expected each split to compare with once, got {choice} twice: name it once")


def all_others(ind: SplitChoice) -> list[SplitChoice]:
    """Every data set but that of the frames in distribution, and that one too where these are its reference frames."""
    reference = ind.layout.splits[ind.split].reference
    return [
        SplitChoice(layout, layout.usual_split) for layout in LAYOUTS.values() if layout is not ind.layout or reference
    ]


def _gives_a_map(manifest: Manifest) -> bool:
    return manifest.answers is not None and manifest.answers.map is not None


def _no_labels(ind: SplitChoice, manifest: Manifest) -> str | None:
    """Why class maps are not compared with labels; None where they are."""
    classes = manifest.segmentation.num_classes
    if manifest.segmentation.kind == "none" or classes is None:
        return "the bundle gives no class map"
    if classes != len(ind.layout.classes) or ind.layout.masks_unknown:
        return f"the network has {classes} classes, {ind.layout.title} {len(ind.layout.classes)}"
    return None


def _evaluation(
    options: BenchmarkOptions,
    folders: FrameFolders,
    ind: PreparedSet,
    sets: list[PreparedSet],
    others: list[PreparedSet],
) -> EvaluationOptions:
    masks = folders.masks.is_dir()
    return EvaluationOptions(
        options.bundle,
        (ind.folder,),
        {prepared.name: (prepared.folder,) for prepared in sets},
        labels=(folders.labels,) if folders.labels.is_dir() else (),
        masks=(folders.masks,) if masks else (),
        unknown_values=(1,) if masks else None,
        known_values=(0,) if masks else None,
        void_values=(255,) if masks else None,
        kinds=(),
        group_by=str(folders.write_drives()),
        fit_frames=tuple(prepared.folder for prepared in others),
        operating_point=options.operating_point,
        seed=options.seed,
        threads=options.threads,
    )


def _nothing(options: BenchmarkOptions, skipped: list[SkippedDataset]) -> str:
    there = [f"{name} ({reason})" for name, reason, missing in skipped if not missing]
    found = "; ".join(there) or f"folders {', '.join(sorted(path.name for path in options.root.iterdir())) or 'none'}"
    return (
        f"expected a data set beside {options.ind} in {options.root} to compare with, got {found}: unpack one of "
        f"{', '.join(LAYOUTS)} there, in a folder of its name"
    )
