"""YAML with lines: where each key stands, and keys that stand twice."""

from __future__ import annotations

import pytest

from exporter.config.yaml_lines import YamlError, load_with_lines


def test_the_line_of_every_key() -> None:
    document, lines = load_with_lines("a: 1\nb:\n  - c: 2\n    d:\n      e: 3\n  - 5\n")
    assert document == {"a": 1, "b": [{"c": 2, "d": {"e": 3}}, 5]}
    assert lines == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 0, "c"): 3,
        ("b", 0, "d"): 4,
        ("b", 0, "d", "e"): 5,
        ("b", 1): 6,
    }


def test_nothing() -> None:
    assert load_with_lines("") == (None, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "3: the key a stands twice; remove one"),
        ("x:\n- {a: 1, a: 1}\n", "2: the key a stands twice; remove one"),
        ("a: [1", "1: not YAML: "),
        ("a: 1\n b: 2\n", "2: not YAML: "),
        ("a: &a [*a]", "1: an alias that contains itself"),
        ("a: !!python/object/apply:os.system [id]", "1: not YAML: could not determine a constructor"),
        ("a: \x00", "1: not YAML: unacceptable character"),
        ("? [a]\n: 1", "1: not YAML: found unhashable key"),
        ("[" * 1000, "1: not YAML: "),
    ],
)
def test_what_is_not_yaml(text: str, message: str) -> None:
    with pytest.raises(YamlError) as caught:
        load_with_lines(text)
    assert str(caught.value).startswith(message)


def test_merged_keys_may_stand_twice() -> None:
    document, _ = load_with_lines("a: &a {x: 1}\nb: &b {y: 2}\nc:\n  <<: *a\n  <<: *b\n")
    assert document["c"] == {"y": 2, "x": 1}


def test_an_hour_is_a_text_with_or_without_quotes() -> None:
    """To YAML, 18:30 is the number 1110."""
    document, _ = load_with_lines("[18:30, 8:00, 08:00, '18:30', {18:30: 1}, 60, 1.5, -1, 2026-01-01, 127.0.0.1:80]")
    assert document[:5] == ["18:30", "8:00", "08:00", "18:30", {"18:30": 1}]
    assert document[5:8] == [60, 1.5, -1]
    assert (str(document[8]), document[9]) == ("2026-01-01", "127.0.0.1:80")
