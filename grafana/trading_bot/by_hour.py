"""What happened in each hour of the day, over the last 30 days."""

from __future__ import annotations

from grafana_foundation_sdk.builders import barchart
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.panels import now

NOTHING = "no full hour recorded yet"


def by_hour(panel: barchart.Panel, by_label: str, label: str) -> barchart.Panel:
    """Fill a bar chart with bars for each hour (UTC), one for each value of a label.

    Args:
        by_label: the amount of the hour before, with no label but `label`.
    """
    # The hour as a label: count_values makes one of a value, two digits so that texts are sorted as numbers.
    hour = 'label_replace(count_values("hour", hour(vector(time() - 1))), "hour", "0$1", "hour", "([0-9])")'
    summed = f"sum by (hour, {label}) (sum_over_time((({by_label}) * on () group_left (hour) {hour})[30d:1h]))"
    # The bar chart has no empty state of its own.
    none = f'label_replace(label_replace(vector(NaN), "hour", "{NOTHING}", "", ""), "{label}", "none", "", "")'
    return (
        panel.with_target(now(f"{summed} or on () {none}").format(PromQueryFormat.TABLE))
        .transformations(
            [
                dashboard.DataTransformerConfig(
                    id_val="groupingToMatrix",
                    options={"columnField": label, "rowField": "hour", "valueField": "Value"},
                ),
                dashboard.DataTransformerConfig(
                    id_val="sortBy", options={"fields": {}, "sort": [{"field": f"hour\\{label}"}]}
                ),
            ]
        )
        .x_field(f"hour\\{label}")
    )
