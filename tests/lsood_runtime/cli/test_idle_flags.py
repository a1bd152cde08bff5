# SPDX-License-Identifier: Apache-2.0
"""A flag that does nothing is never ignored in silence: every flag of every command, over every kind of source."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from lsood_runtime._cli.idle_flags import idle_flags
from lsood_runtime._cli.main import build_parser, run
from tests.lsood_runtime.cli.test_run_ends import write_drive

VALUES = {"--topic": "/a", "--fps": "5", "--bits": "12", "--encoding": "bgr8", "--yuv": "bt709", "--max-age": "3"}
OTHERS = {"--highest": "3"}
SOURCES = {"image": "a.png", "unknown": "a.xyz", "video": "a.mp4", "recording": "a.mcap", "camera": "camera:0"}
ACTS = {
    "--topic": {"recording"},
    "--fps": {"image", "unknown"},
    "--bits": {"image", "unknown", "recording"},
    "--encoding": {"recording"},
    "--yuv": {"video", "recording"},
    "--grey": {"image", "unknown", "video", "recording"},
    "--max-age": {"recording", "camera"},
}
ALWAYS = {
    *(
        "--help",
        "--json",
        "--csv",
        "--strict",
        "--out",
        "--timeline",
        "--thumbnails",
        "--rerun",
        "--maps",
        "--provider",
        "--threads",
    ),
    *(
        "--operating-point",
        "--deadline-ms",
        "--min-quality",
        "--object-region",
        "--alarm",
        "--quality-alarm",
        "--frozen-after",
        "--frozen-tolerance",
        "--expected-sha256",
        "--public-key",
        "--tile-share",
    ),
    *(
        "--frames",
        "--compare",
        "--network",
        "--rounds",
        "--max-flips",
        "--max-pixel-changes",
    ),
}
WITH_OTHERS = {
    *("--highest", "--allow-fallback", "--require-provider", "--provider-library"),
    *("--parts", "--features", "--tile-grid", "--tile-frames"),
}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["score", "monitor", "a.png", "--jason"], "--jason: did you mean --json?"),
        (["watch", "monitor", "a.mp4", "--frozen-afte=3"], "--frozen-afte=3: did you mean --frozen-after?"),
        (
            ["score", "monitor", "a.png", "--map", "m"],
            "--map m: did you mean --maps?",
        ),  # no beginning is taken for a flag
        (["score", "monitor", "a.png", "--strangest", "3"], "--strangest 3: it is called --highest now"),
        (["diff", "monitor", "new", "--strangest", "3"], "--strangest 3"),
        (["watch", "monitor", "a.mp4", "--frozn-after=3"], "--frozn-after=3: did you mean --frozen-after?"),
        (["inspect", "monitor", "--colour", "red"], "--colour red"),
        (["selftest", "monitor", "more"], "more"),
    ],
)
def test_lsood_with_an_unknown_flag_names_the_nearest_of_its_command(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(words)
    assert stopped.value.code == 2
    name = f"lsood {words[0]}"
    assert capsys.readouterr().err == f"{name}: error: unrecognized arguments: {hint} (see {name} --help)\n"


def flags_of(command: str) -> Iterator[str]:
    (commands,) = (each for each in build_parser()._actions if isinstance(each, argparse._SubParsersAction))
    for action in commands.choices[command]._actions:
        yield from (flag for flag in action.option_strings if flag.startswith("--"))


def idle(*words: str, sources: tuple[str, ...] = (), part_count: int | None = 2) -> list[str]:
    return [flag for flag, _ in idle_flags(build_parser().parse_args(words), sources, part_count=part_count)]


@pytest.mark.parametrize("command", ["score", "watch", "diff", "inspect", "selftest", "certify"])
def test_commands_have_no_flag_whose_use_is_not_looked_at(command: str) -> None:
    assert set(flags_of(command)) <= ALWAYS | WITH_OTHERS | ACTS.keys()


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in SOURCES.values():
        Path(name).touch()


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize(
    ("command", "flag"),
    [(command, flag) for command in ("score", "watch", "diff") for flag in flags_of(command) if flag in ACTS],
)
def test_flag_about_other_sources_is_idle(command: str, kind: str, flag: str) -> None:
    places = ["old", "new"] if command == "diff" else ["bundle"]
    words = [command, *places, SOURCES[kind], flag, *([VALUES[flag]] if flag in VALUES else [])]
    alarm_rate = command == "watch" and flag == "--fps"  # the alarm is chosen for it
    assert idle(*words, sources=(SOURCES[kind],)) == ([] if kind in ACTS[flag] or alarm_rate else [flag])
    assert idle(*words, sources=tuple(SOURCES.values())) == [], "one that it is about is enough"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("score b a.png --highest 12", ["--highest"]),
        ("score b a.png --highest 3 --thumbnails t.png", []),
        ("score b a.png --allow-fallback", ["--allow-fallback"]),
        ("score b a.png --allow-fallback --provider cuda", []),
        ("score b a.png --tile-grid 2x2", []),
        ("score b a.png --tile-grid 2x2 --tile-share never", ["--tile-grid"]),
        ("watch b a.png --tile-frames 5 --tile-share never", ["--tile-frames"]),
        ("watch b a.png --tile-frames 5 --tile-share 0.5", []),
        ("selftest b --allow-fallback", ["--allow-fallback"]),
        ("selftest b --require-provider", ["--require-provider"]),
        ("selftest b --provider-library x=x.so", ["--provider-library"]),
        ("selftest b --provider-library x=x.so --provider x --require-provider", []),
        ("watch b a.png --parts", ["--parts"]),
        ("watch b a.png --parts --json", []),
        ("score b a.png --features", ["--features"]),
        ("watch b a.png --features --out a.csv", []),
        ("score b a.png --parts", []),
        ("watch b a.mcap --fps 5 --alarm 1/h@30", ["--fps"]),
        ("watch b a.png --fps 5 --alarm 1/h@30", []),
        ("inspect b --fps 30", ["--fps"]),
        ("inspect b --fps 30 --alarm 3of5", []),
        ("inspect b --fps 30 --alarm 2/h@10", ["--fps"]),
        ("inspect b", []),
        ("diff a b --grey --bits 12 --threads 2", ["--grey", "--bits", "--threads"]),
        ("diff a b", []),
        ("score b a.png", []),
    ],
)
def test_flag_without_what_it_goes_with_is_idle(words: str, found: list[str]) -> None:
    sources = tuple(word for word in words.split() if word.startswith("a."))
    assert idle(*words.split(), sources=sources) == found


def test_parts_of_a_score_without_parts_are_idle() -> None:
    assert idle("score", "b", "a.png", "--parts", sources=("a.png",), part_count=0) == ["--parts"]


@pytest.mark.parametrize("command", ["score", "watch"])
def test_run_says_in_one_line_what_an_idle_flag_is_for(
    toy_bundle: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = write_drive(tmp_path / "drive", 1)
    run([command, str(toy_bundle), str(drive), "--topic", "/front", "--yuv", "bt709"])
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lsood: note: ")]
    assert notes == [
        "lsood: note: --topic does nothing here: it is for recordings, the sources have none",
        "lsood: note: --yuv does nothing here: it is for videos and recordings, the sources have none",
    ]
