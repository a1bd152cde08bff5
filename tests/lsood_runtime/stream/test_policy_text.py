# SPDX-License-Identifier: Apache-2.0
"""Alarm policies written as text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from tests.cases.random_policies import POLICIES


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("3of5", KOfN(3, 5)),
        ("hysteresis:0.01:0.2", Hysteresis(0.01, 0.2)),
        ("duration:0.5", MinimumDuration(0.5, 0.5)),
        ("duration:0.5:2", MinimumDuration(0.5, 2.0)),
        ("cusum:1h@30", Cusum(1.0, 30.0)),
        ("cusum:1e+06h@30", Cusum(1e6, 30.0)),
        ("cusum:0.5h@7.5", Cusum(0.5, 7.5)),
    ],
)
def test_parse_policy_valid_text_gives_the_policy(text: str, policy: Policy) -> None:
    assert parse_policy(text) == policy


@given(policy=POLICIES)
def test_policy_as_text_is_parsed_again(policy: Policy) -> None:
    assert parse_policy(str(policy)) == policy
    assert parse_alarm(str(policy)) == policy


@given(rate=st.builds(AskedRate, *[st.floats(0, math.inf, exclude_min=True, exclude_max=True)] * 2))
def test_rate_as_text_is_parsed_again(rate: AskedRate) -> None:
    assert parse_alarm(str(rate)) == rate


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (Hysteresis(0.01, 0.2), "hysteresis:0.01:0.2"),
        (MinimumDuration(1 / 3, 2), "duration:0.3333333333333333:2"),
        (Cusum(1_000_000, 30), "cusum:1e+06h@30"),
        (Cusum(123456, 29.97), "cusum:123456h@29.97"),
    ],
)
def test_text_has_as_few_digits_as_are_needed(policy: Policy, text: str) -> None:
    assert str(policy) == text


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
        "duration:1:",
        "duration:1:2:3",
        "duration:1e+",
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
