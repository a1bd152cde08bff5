# SPDX-License-Identifier: Apache-2.0
"""YAML as PyYAML reads it, but for names that stand twice."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from export.strict_yaml import load_yaml

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
