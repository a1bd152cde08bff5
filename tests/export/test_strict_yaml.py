# SPDX-License-Identifier: Apache-2.0
"""YAML as PyYAML reads it, but for names that stand twice, and for a few lines that stand for a memory full of values."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from export.strict_yaml import MOST_VALUES, load_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc: [{'\"", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab1", max_size=3), inner, max_size=3),
)


@given(value=VALUES)
def test_load_yaml_of_any_plain_values_gives_them_back(value: object) -> None:
    assert load_yaml(yaml.safe_dump(value)) == value


@pytest.mark.parametrize(
    "text", ["a: 1\na: 2", "a: 1\n'a': 2", "- b: {c: 1, d: 2, c: 1}", "1: a\n0x1: b", "{a: 1, a: 1}"]
)
def test_load_yaml_of_a_name_that_stands_twice_is_refused(text: str) -> None:
    assert yaml.safe_load(text) is not None
    with pytest.raises(yaml.YAMLError, match="stands twice in one mapping"):
        load_yaml(text)


def test_load_yaml_of_a_merged_mapping_lets_its_own_names_win() -> None:
    text = "base: &base {a: 1, b: 2}\nown: {<<: *base, a: 3}"
    assert load_yaml(text) == yaml.safe_load(text) == {"base": {"a": 1, "b": 2}, "own": {"a": 3, "b": 2}}


@pytest.mark.parametrize("text", ["[" * 100_000, "!!python/object/apply:os.getcwd []", "? [a]\n: b", "{"])
def test_load_yaml_of_what_holds_no_plain_values_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(text)


def expanded(value: object) -> int:
    """Number of values, each as often as it stands there."""
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + sum(map(expanded, parts))


@given(levels=st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=9))
def test_load_yaml_of_aliases_is_refused_exactly_where_it_stands_for_too_many_values(
    levels: list[tuple[int, bool]],
) -> None:
    text, count = "a0: &a0 x\n", 1
    total = 2
    for i, (times, in_mapping) in enumerate(levels, 1):
        parts = [f"*a{i - 1}"] * times
        inner = (
            "{" + ", ".join(f"k{j}: {part}" for j, part in enumerate(parts)) + "}"
            if in_mapping
            else f"[{', '.join(parts)}]"
        )
        text += f"a{i}: &a{i} {inner}\n"
        count = 1 + times * (count + in_mapping)
        total += 1 + count
    if total + 1 > MOST_VALUES:
        with pytest.raises(yaml.YAMLError, match="more than 100,000 values"):
            load_yaml(text)
    else:
        loaded = load_yaml(text)
        assert loaded == yaml.safe_load(text)
        assert expanded(loaded) == total + 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: " + "1" * 5000, "digits"),
        ("a: 2020-13-45", "month"),
        ("&a [*a]", "an alias stands within what it names"),
        ("a: &a {b: *a}", "an alias stands within what it names"),
        ("a: &a {<<: *a}", "an alias stands within what it names"),
        ("# " + "x" * 2**18, "at most 262,144 are read"),
        ("[" + "1," * 110_000 + "]", "more than 100,000 values"),
    ],
)
def test_load_yaml_of_what_would_take_long_or_fail_is_refused(text: str, reason: str) -> None:
    with pytest.raises(yaml.YAMLError, match=reason):
        load_yaml(text)


@given(st.recursive(st.integers(), lambda values: st.lists(values).map(tuple) | st.lists(values), max_leaves=8))
def test_load_yaml_with_tuples_reads_what_pyyaml_writes(value: object) -> None:
    text = yaml.dump({"sizes": value})
    assert load_yaml(text, tuples=True) == {"sizes": value}
    if "python/tuple" in text:
        with pytest.raises(yaml.YAMLError, match="python/tuple"):
            load_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/tuple 3",
        "!!python/tuple {a: 1}",
        "!!python/name:os.system",
        "!!python/tuple [!!python/name:os.system]",
    ],
)
def test_load_yaml_with_tuples_of_other_tags_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(text, tuples=True)
