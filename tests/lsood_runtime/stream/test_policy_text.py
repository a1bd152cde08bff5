# SPDX-License-Identifier: Apache-2.0
"""Alarm policies written as text."""

import pytest

from lsood_runtime import (
    Cusum,
    Hysteresis,
    KOfN,
    MinimumDuration,
    Policy,
    parse_policy,
)
from lsood_runtime._cli.main import run
from lsood_runtime._stream.policy_text import AskedRate, parse_alarm


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("3of5", KOfN(3, 5)),
        ("hysteresis:0.01:0.2", Hysteresis(0.01, 0.2)),
        ("duration:0.5", MinimumDuration(0.5, 0.5)),
        ("cusum:1h@30", Cusum(1.0, 30.0)),
        ("cusum:0.5h@7.5", Cusum(0.5, 7.5)),
    ],
)
def test_parse_policy_valid_text_gives_the_policy(text: str, policy: Policy) -> None:
    assert parse_policy(text) == policy


@pytest.mark.parametrize("policy", [KOfN(3, 5), Hysteresis(0.01, 0.2), MinimumDuration(0.5, 0.5), Cusum(0.5, 7.5)])
def test_policy_as_text_is_parsed_again(policy: Policy) -> None:
    assert parse_policy(str(policy)) == policy
    assert parse_alarm(str(policy)) == policy


@pytest.mark.parametrize(("text", "rate"), [("1/h", AskedRate(1.0)), ("0.5/h@30", AskedRate(0.5, 30.0))])
def test_parse_alarm_rate_is_no_policy(text: str, rate: AskedRate) -> None:
    assert parse_alarm(text) == rate
    assert str(rate) == text
    with pytest.raises(ValueError, match="expected an alarm policy such as 3of5"):
        parse_policy(text)


@pytest.mark.parametrize(
    "text",
    [
        "0/h",
        "1/h@0",
        "",
        "5of3",
        "0of3",
        "cusum:1",
        "duration:",
        "३of5",
        "duration:३.5",
        "hysteresis:0.2:0.1",
        "cusum:0h@30",
    ],
)
def test_parse_policy_other_text_is_bad_usage(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(["watch", "m", "f", "--alarm", text])
    assert caught.value.code == 2
    assert "expected" in capsys.readouterr().err
