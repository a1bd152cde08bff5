# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies that draw the options of any command, every field among what a user can type."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args, get_origin

from hypothesis import reject
from hypothesis import strategies as st

from export.anomalies import ANOMALIES
from export.errors import UsageError
from export.option_table import Option, options_of, rows_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance as OptionTable

Table = TypeVar("Table", bound="OptionTable")

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NAME = st.text(st.characters(categories=["L", "N", "S", "P"], exclude_characters="=,*?["), min_size=1).filter(
    lambda name: not name.startswith("-")
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True)
RATES = st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True)
NAMED_PATHS = NAME.map(Path)

WORDS = {
    "--model-arg": st.dictionaries(KEYS, JSON_VALUES, max_size=3),
    "--false-alarm-rate": st.dictionaries(NAME, RATES, min_size=1, max_size=3),
    "--ood": st.dictionaries(NAME, st.lists(NAMED_PATHS, min_size=1, max_size=3).map(tuple), max_size=3),
    "--cause": st.dictionaries(
        KEYS.map("own_{}".format), st.lists(NAMED_PATHS, min_size=1, max_size=3).map(tuple), max_size=2
    ),
    "--synthetic": st.lists(st.sampled_from(list(ANOMALIES)), max_size=3).map(tuple),
    "--taps": st.lists(NAME, max_size=3).map(tuple),
}


def one_value(option: Option, alone: bool) -> st.SearchStrategy[object]:
    """A value of one word; alone behind its flag a text may begin with a dash, but not be the two dashes alone."""
    if option.choices:
        return st.sampled_from(list(option.choices))
    if option.parse is Path:
        return TEXT.map(Path)
    if option.parse is int:
        return st.integers(option.flag.least, option.flag.most)
    if option.parse is float:
        return st.floats(allow_nan=False) if alone else st.floats(min_value=0, allow_infinity=False)
    return TEXT.filter(lambda text: text != "--") if alone else NAME


def values_of(option: Option) -> st.SearchStrategy[object]:
    """Values of a field, its default among them."""
    if option.is_switch:
        return st.booleans()
    if option.flag.words is not None:
        values: st.SearchStrategy[object] = WORDS[option.name]
    elif option.count is None:
        values = one_value(option, alone=True)
    else:
        least, most = (1, 3) if option.count == "+" else (option.count, option.count)
        assert get_origin(option.hint) is tuple
        assert get_args(option.hint)
        values = st.lists(one_value(option, alone=False), min_size=least, max_size=most).map(tuple)
    return values if option.is_required else st.just(option.default) | values


@st.composite
def options(draw: st.DrawFn, table: type[Table]) -> Table:
    """Options of a table; a flag that several fields share has one value."""
    drawn = {option.name: draw(values_of(option)) for option in options_of(table)}
    try:
        return build(table, drawn)
    except UsageError:  # values that the table refuses together are no options
        reject()


def build(table: type[Table], drawn: dict[str, object]) -> Table:
    values = {
        field: drawn[row.name] if isinstance(row, Option) else build(row, drawn)
        for field, row in rows_of(table).items()
    }
    return table(**values)
