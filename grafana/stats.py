"""Large numbers side by side, each with a name and colours of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models import common, dashboard

from grafana import style
from grafana.panels import now, numbers
from grafana.style import set_

Steps = Sequence[tuple[float, str]]


class Number(NamedTuple):
    """A number of now: its name, its query, the colour at first, and from which values on another."""

    name: str
    expression: str
    base: str = style.NEUTRAL
    steps: Steps = ()
    properties: Sequence[dashboard.DynamicConfigValue] = ()


def side_by_side(
    id_: int,
    title: str,
    size: tuple[int, int],
    description: str,
    shown: Sequence[Number],
    absent: str,
    unit: str = style.COUNT,
    decimals: int = 0,
    when_nan: str = "",
) -> stat.Panel:
    """A panel with one large number for each query.

    `absent` is what stands there when none has a value, `when_nan` where a query says so by NaN.
    """
    panel = (
        numbers(id_, title, size, description, unit, decimals)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .mappings(
            [
                style.when_absent(absent, dashboard.SpecialValueMatch.NULL),
                style.when_absent(when_nan or absent, dashboard.SpecialValueMatch.NA_N),
            ]
        )
        .no_value(absent)
        .color_scheme(style.by_threshold())
    )
    for ref, number in zip("ABCDEFGH", shown, strict=False):
        panel.with_target(now(number.expression, number.name, ref)).override_by_name(
            number.name, [style.steps(number.base, *number.steps), *number.properties]
        )
    return panel


def the_worst(
    id_: int,
    title: str,
    size: tuple[int, int],
    description: str,
    expression: str,
    name: str,
    absent: str,
    unit: str,
    decimals: int,
    steps: tuple[str, Steps],
    when_nan: str = "",
    texts: dict[str, tuple[str, str]] | None = None,
) -> stat.Panel:
    """The value that is worst and whose it is.

    `when_nan` is the text where the query says so by NaN, `texts` those instead of some values: value → (text, colour).
    """
    return (
        numbers(id_, title, size, description, unit, decimals)
        .with_target(now(expression, name))
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .mappings(
            [
                style.when_absent(absent, dashboard.SpecialValueMatch.NULL),
                style.when_absent(when_nan or absent, dashboard.SpecialValueMatch.NA_N),
                style.texts(texts or {}),
            ]
        )
        .no_value(absent)
        .color_scheme(style.by_threshold())
        .thresholds(style.thresholds(steps[0], *steps[1]))
    )


def width(pixels: int) -> dashboard.DynamicConfigValue:
    """A column's width."""
    return set_("custom.width", pixels)
