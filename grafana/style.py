"""What all dashboards look like: colours, units and texts."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common, dashboard

from grafana.promql import COINS

CRITICAL = "#e74c3c"  # only for failure
WARNING = "#f39c12"
INFO = "#3498db"
SUCCESS = "#2ecc71"
PURPLE = "#9b59b6"
ORANGE = "#e67e22"
NEUTRAL = "#8e9aa6"
CLEAR = "#00000000"  # no colour at all

MODES = {"live": SUCCESS, "dry_run": INFO, "demo": PURPLE}

RATIO = "percentunit"
COUNT = "none"
# Digits grouped by the reader's locale, and no zeros at the end: for axes of counts, whose ticks may be halves.
GROUPED = "locale"
# Not a currency unit: the account's currency stands in names and columns.
MONEY = GROUPED
SECONDS = "s"
DURATION = "dtdhms"  # seconds as days and hh:mm:ss
BYTES = "bytes"

UNKNOWN = "–"
NOT_KNOWN = "not known"  # where a dash alone would be blown up to a bar
TOO_FEW = "too few trades yet"

COIN_DECIMALS = 6

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="$datasource")


def thresholds(base: str, *steps: tuple[float, str]) -> builders.ThresholdsConfig:
    """Colours by value: the base colour, and from each step's value on its colour."""
    return (
        builders.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(None, base), *(dashboard.Threshold(value, colour) for value, colour in steps)])
    )


def fixed(colour: str) -> builders.FieldColor:
    """One colour, whatever the value."""
    return builders.FieldColor().mode(dashboard.FieldColorModeId.FIXED).fixed_color(colour)


def by_threshold() -> builders.FieldColor:
    """The colour that the thresholds give."""
    return builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)


def set_(name: str, value: object) -> dashboard.DynamicConfigValue:
    """A property of an override."""
    return dashboard.DynamicConfigValue(id_val=name, value=value)


def colour(value: str) -> dashboard.DynamicConfigValue:
    """A fixed colour, for an override."""
    return set_("color", {"mode": "fixed", "fixedColor": value})


def dashed() -> list[dashboard.DynamicConfigValue]:
    """A thinner dashed line, for an override."""
    return [set_("custom.lineStyle", {"fill": "dash", "dash": [4, 4]}), set_("custom.lineWidth", 1)]


def coin_decimals() -> tuple[str, list[dashboard.DynamicConfigValue]]:
    """An override for series with the name of a currency worth thousands in theirs: six decimals."""
    return rf"/\b({COINS})\b/", [set_("decimals", COIN_DECIMALS)]


def steps(base: str, *values: tuple[float, str]) -> dashboard.DynamicConfigValue:
    """Thresholds, for an override."""
    return set_("thresholds", thresholds(base, *values).build())


def texts(names: dict[str, tuple[str, str]]) -> dashboard.ValueMap:
    """Texts and colours instead of values: value → (text, colour)."""
    return dashboard.ValueMap(
        {
            value: dashboard.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(names.items())
        }
    )


def when_absent(text: str, match: dashboard.SpecialValueMatch, colour: str = NEUTRAL) -> dashboard.SpecialValueMap:
    """The text instead of a value that is not there: `match` is null, or where no cell is text, null and NaN."""
    return dashboard.SpecialValueMap(
        dashboard.DashboardSpecialValueMapOptions(
            match=match,
            result=dashboard.ValueMappingResult(text=text, color=colour, index=0),
        )
    )
