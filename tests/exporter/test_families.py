"""The text of a scrape: what prometheus-client itself would write of the same samples, whatever is in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from exporter.figures.histogram import Histogram
from exporter.metrics.families import Families, Family

GAUGE = Family("trading_bot_a", "A gauge.", ("one", "other"))
COUNTER = Family("trading_bot_b_total", "A counter.", ("result",), "counter")
PLAIN = Family("trading_bot_c", "A gauge of no bot.", of_bot=False)
HISTOGRAM = Family("trading_bot_d_seconds", "A histogram.", (), "histogram")
SIGNED = Family("trading_bot_e_ratio", "A histogram with buckets below zero.", (), "histogram", signed=True)

# Everything that could end a label, a line or a family, and all that a file or an API may hold.
TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\\n\r\t{},= #🤖\u2028\x00\x85'), max_size=30)
VALUES = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


def of_the_library(*families: Metric) -> str:
    """What prometheus-client writes of its own families."""

    class Collector:
        def collect(self) -> tuple[Metric, ...]:
            return families

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())  # type: ignore[arg-type]
    return generate_latest(registry).decode()


def samples(text: str) -> list[tuple[str, str, str, dict[str, str], float]]:
    """A text as prometheus-client reads it: type, help, name, labels and value of each sample, in order."""
    return [
        (family.type, family.documentation, sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def theirs(gauge: list[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(GAUGE.name, GAUGE.help, labels=("bot", *GAUGE.labels))
    for labels, value in gauge:
        family.add_metric(labels, value)
    return family


def ours(gauge: list[tuple[tuple[str, ...], float]]) -> str:
    families = Families()
    for labels, value in gauge:
        families.add(GAUGE, value, *labels)
    return families.text().decode()


def test_line_by_line_as_prometheus_client_writes_it() -> None:
    families = Families()
    families.add(GAUGE, 0.5, "x", "1", "2")
    families.add(COUNTER, 3.0, "x", "win")
    families.add(GAUGE, -1.25, "y", "1", "")
    families.add(COUNTER, 0.0, "y", "loss")
    families.add_histogram(HISTOGRAM, Histogram((0.1, 1, 60), (1, 0, 2, 4), 12.5), "x")
    families.add(PLAIN, 1e-07)
    gauge = theirs([(("x", "1", "2"), 0.5), (("y", "1", ""), -1.25)])
    counter = CounterMetricFamily(COUNTER.name, COUNTER.help, labels=("bot", "result"))
    counter.add_metric(("x", "win"), 3)
    counter.add_metric(("y", "loss"), 0)
    histogram = HistogramMetricFamily(HISTOGRAM.name, HISTOGRAM.help, labels=("bot",))
    histogram.add_metric(("x",), [("0.1", 1), ("1.0", 1), ("60.0", 3), ("+Inf", 7)], 12.5)
    plain = GaugeMetricFamily(PLAIN.name, PLAIN.help, 1e-07)
    expected = of_the_library(gauge, counter, histogram, plain).splitlines()
    lines = families.text().decode().splitlines()
    # It counts in floats, 7.0 where we count 7.
    assert [line.removesuffix(".0") for line in expected] == [line.removesuffix(".0") for line in lines]
    assert lines[:4] == [
        "# HELP trading_bot_a A gauge.",
        "# TYPE trading_bot_a gauge",
        'trading_bot_a{bot="x",one="1",other="2"} 0.5',
        'trading_bot_a{bot="y",one="1",other=""} -1.25',
    ]
    assert lines[-1] == "trading_bot_c 1e-07"


def test_buckets_below_zero_have_no_sum() -> None:
    """Which could not be a counter; as prometheus-client does it."""
    families = Families()
    families.add_histogram(SIGNED, Histogram((-0.1, 0.0, 0.1), (1, 2, 0, 1), -0.4), "x")
    library = HistogramMetricFamily(SIGNED.name, SIGNED.help, labels=("bot",))
    library.add_metric(("x",), [("-0.1", 1), ("0.0", 3), ("0.1", 3), ("+Inf", 4)], None)
    text = families.text().decode()
    assert samples(text) == samples(of_the_library(library))
    assert "_sum" not in text


@given(st.lists(st.tuples(st.tuples(TEXTS, TEXTS, TEXTS), VALUES), max_size=5))
def test_whatever_the_labels_and_values(gauge: list[tuple[tuple[str, ...], float]]) -> None:
    text = ours(gauge)
    assert samples(text) == samples(of_the_library(theirs(gauge))) or not gauge
    assert [(tuple(labels.values()), value) for *_, labels, value in samples(text)] == gauge
    # A label breaks no line: not even the characters that Python, but not Prometheus, takes for the end of one.
    assert text.count("\n") == (2 + len(gauge) if gauge else 0)


@pytest.mark.parametrize(
    "text",
    ['a"b', "a\\", "\\n", "a\nb", '"} 1\ntrading_bot_up{bot="y', '\\"', "\\\\n", "{}", " ", "", "%s", "%(x)d", "%"],
)
def test_hostile_labels(text: str) -> None:
    gauge = [((text, text, text), 1.0)]
    assert ours(gauge) == of_the_library(theirs(gauge))
    assert samples(ours(gauge)) == [("gauge", GAUGE.help, GAUGE.name, dict.fromkeys(("bot", "one", "other"), text), 1)]


@pytest.mark.parametrize(
    "value",
    [
        0,
        1,
        -1,
        10**15,
        2**53,
        0.0,
        0.1,
        1 / 3,
        1e15,
        1e16,
        1e-7,
        5e-324,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        -1e-300,
        1795255243.123456,
    ],
)
def test_every_form_of_a_number_is_read_back_exactly(value: float) -> None:
    (sample,) = samples(ours([(("x", "", ""), value)]))
    assert sample[-1] == value
    assert samples(ours([(("x", "", ""), value)])) == samples(of_the_library(theirs([(("x", "", ""), value)])))


def test_a_negative_zero_is_zero() -> None:
    (sample,) = samples(ours([(("x", "", ""), -0.0)]))
    assert sample[-1] == 0


@given(st.lists(st.integers(0, 10**9), min_size=3, max_size=3), st.floats(0, 1e300), TEXTS)
def test_whatever_a_histogram_counted(counts: list[int], total: float, bot: str) -> None:
    families = Families()
    families.add_histogram(HISTOGRAM, Histogram((0.005, 2.5), tuple(counts), total), bot)
    library = HistogramMetricFamily(HISTOGRAM.name, HISTOGRAM.help, labels=("bot",))
    sums = [sum(counts[: n + 1]) for n in range(3)]
    library.add_metric((bot,), list(zip(("0.005", "2.5", "+Inf"), sums, strict=True)), total)

    def sorted_(text: str) -> list[tuple[str, str, float]]:
        return sorted((name, str(labels), value) for _, _, name, labels, value in samples(text))

    assert sorted_(families.text().decode()) == sorted_(of_the_library(library))


def test_what_is_not_known_has_no_series_and_its_family_no_head() -> None:
    families = Families()
    families.add(GAUGE, None, "x", "", "")
    assert families.text() == b""
    families.add(PLAIN, 0)
    assert samples(families.text().decode()) == [("gauge", PLAIN.help, PLAIN.name, {}, 0)]


def test_each_family_stands_together_however_the_bots_come() -> None:
    """Prometheus takes a family's lines as they come, but a stricter reader wants them in one place."""
    families = Families()
    for bot in ("x", "y", "z"):
        families.add(GAUGE, 1, bot, "", "")
        families.add(COUNTER, 1, bot, "win")
        families.add_histogram(HISTOGRAM, Histogram((1,), (1, 1), 2.0), bot)
    text = families.text().decode()
    read = list(text_string_to_metric_families(text))
    assert [family.name for family in read] == ["trading_bot_a", "trading_bot_b", "trading_bot_d_seconds"]
    assert text.count("# TYPE") == 3


def test_a_sample_that_is_no_bot_s_has_no_such_label() -> None:
    families = Families()
    families.add_of_none(GAUGE, 0.5, '1"', "2")
    families.add(GAUGE, 1, "x", "1", "2")
    read = samples(families.text().decode())
    assert [labels for *_, labels, _ in read] == [{"one": '1"', "other": "2"}, {"bot": "x", "one": "1", "other": "2"}]
    assert [value for *_, value in read] == [0.5, 1]


def test_what_a_family_s_series_are_called() -> None:
    assert GAUGE.series_names == ("trading_bot_a",)
    assert set(HISTOGRAM.series_names) == {f"trading_bot_d_seconds_{each}" for each in ("bucket", "count", "sum")}
    assert SIGNED.series_names == ("trading_bot_e_ratio_bucket",)
