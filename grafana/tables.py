"""Tables of now: a row for each bot, or for each of something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import prometheus, table
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana import style
from grafana.panels import now, with_basics
from grafana.promql import recorded
from grafana.style import set_

Property = dashboard.DynamicConfigValue
ABSENT = style.when_absent(style.UNKNOWN, dashboard.SpecialValueMatch.NULL)


class Label(NamedTuple):
    """A column that shows a label of the table's rows."""

    name: str
    label: str
    properties: Sequence[Property] = ()


class Value(NamedTuple):
    """A column that shows the value of a query, which has the label `bot`."""

    name: str
    expression: str
    properties: Sequence[Property] = ()


def rows(
    id_: int,
    title: str,
    size: tuple[int, int],
    description: str,
    columns: Sequence[Label | Value],
    labels_from: str,
    sort_by: str,
    absent: str,
    hidden: Sequence[str] = (),
    largest_first: bool = False,
) -> table.Panel:
    """A table, smallest value of `sort_by` first where nothing else is said.

    Args:
        labels_from: the query whose labels the `Label` columns show.
        absent: what stands there when there is no row.
        hidden: labels, and names of values, that are only there for rows to be told apart or to have other labels.
    """
    panel = (
        with_basics(table.Panel(), id_, title, size, description, style.COUNT, 2)
        .show_header(True)
        # Grafana's own, 150, would push most columns out of a narrow screen.
        .min_width(120)
        .footer(common_builders.TableFooterOptions().show(False).reducer([]).count_rows(False))
        .sort_by([common_builders.TableSortByFieldState().display_name(sort_by).desc(largest_first)])
        .no_value(absent)
        .override_by_regexp("/.*/", [set_("noValue", style.UNKNOWN), set_("mappings", [ABSENT])])
        .with_target(_query(labels_from, "A"))
    )
    names, positions = {}, {}
    # The value of a query that alone has an answer has no letter.
    excluded = dict.fromkeys(("Time", "Value #A", "Value", *hidden), True)
    ref = "A"
    for position, column in enumerate(columns):
        field = column.label if isinstance(column, Label) else ""
        if isinstance(column, Value):
            ref = chr(ord(ref) + 1)
            field = f"Value #{ref}"
            panel.with_target(_query(column.expression, ref))
            if column.name in hidden:
                excluded[field] = True
                continue
        names[field], positions[field] = column.name, position
        if column.properties:
            panel.override_by_name(column.name, list(column.properties))
    return panel.transformations(
        [
            dashboard.DataTransformerConfig(id_val="merge", options={}),
            dashboard.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": excluded,
                    "indexByName": positions,
                    "renameByName": names,
                },
            ),
        ]
    )


def lamps(metric: str, label: str, names: dict[str, str], meanings: dict[str, tuple[str, str]]) -> list[Value]:
    """A column with a lamp for each of a recorded metric's kinds: value of the label → the column's name."""
    return [
        Value(name, recorded(metric, **{label: kind}), [*lamp(meanings), set_("custom.minWidth", 75)])
        for kind, name in names.items()
    ]


def _query(expression: str, ref: str) -> prometheus.Dataquery:
    return now(expression, ref=ref).format(PromQueryFormat.TABLE)


def measure(unit: str, decimals: int, width: int | None = None) -> list[Property]:
    """A column's unit, decimals and width in pixels."""
    properties = [set_("unit", unit), set_("decimals", decimals)]
    if width is not None:
        properties.append(set_("custom.width", width))
    return properties


def money() -> list[Property]:
    """A column of amounts in several currencies, as `promql.exact` gives them: its unit drops zeros at the end."""
    return measure(style.MONEY, style.COIN_DECIMALS, 120)


def named(names: dict[str, tuple[str, str]]) -> Property:
    """Texts and colours instead of the column's values: value → (text, colour)."""
    return set_("mappings", [style.texts(names), ABSENT])


def lamp(names: dict[str, tuple[str, str]]) -> list[Property]:
    """As `named`, as a cell in the value's colour; one without a value stays dark, for there may be many."""
    dark = style.when_absent(style.UNKNOWN, dashboard.SpecialValueMatch.NULL, style.CLEAR)
    return [*coloured_cell(), set_("mappings", [style.texts(names), dark])]


def coloured_text() -> list[Property]:
    """The cell's text takes the value's colour."""
    return _cell("color-text", {"type": "color-text"})


def coloured_cell() -> list[Property]:
    """The cell's background takes the value's colour."""
    return [
        *_cell("color-background-solid", {"type": "color-background", "mode": "basic"}),
        set_("custom.align", "center"),
    ]


def gauge_cell(most: float) -> list[Property]:
    """A bar from 0 to `most` in the value's colour."""
    return [*_cell("basic", {"type": "gauge", "mode": "basic"}), set_("min", 0), set_("max", most)]


def _cell(before_9_5: str, since_9_5: dict[str, str]) -> list[Property]:
    """Grafana changed the option's name and form with 9.5; each version reads its own and ignores the other."""
    return [set_("custom.displayMode", before_9_5), set_("custom.cellOptions", since_9_5)]
