"""What is told when promtool makes no blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from past import promtool


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("kill -9 $$", r"^promtool was killed; out of memory\?$"),
        ("echo no; echo 'space left' >&2; exit 3", "^promtool ended with 3: no space left$"),
        ("exit 2", "^promtool ended with 2: $"),
    ],
)
def test_its_end_is_told(tmp_path: Path, does: str, told: str) -> None:
    (tmp_path / "promtool").write_text(f"#!/bin/sh\n{does}\n")
    (tmp_path / "promtool").chmod(0o755)
    with pytest.raises(RuntimeError, match=told):
        promtool.blocks(tmp_path, tmp_path / "0.om", tmp_path / "data", 2)
