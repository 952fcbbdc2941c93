from pathlib import Path

import pytest

from sensor.rules import classification

CONFIG = Path(__file__).resolve().parents[4] / "shared/rules/classification.config"


def test_parse_collects_classes_and_problems():
    lines = (
        "# a",
        "config classification: a-b, Some Text ,2",
        "nonsense",
        "config classification:a-b,Other,1",
        "config classification: x,y,0",
    )
    text = "\n".join(lines)
    found, problems = classification.parse(text, "c")
    assert found == {"a-b": classification.Classification("Some Text", 2)}
    assert [problem.line for problem in problems] == [3, 5]


@pytest.mark.skipif(not CONFIG.exists(), reason="needs ../shared/rules/classification.config")
def test_the_built_in_table_agrees_with_the_public_file():
    found, problems = classification.parse(CONFIG.read_text(), str(CONFIG))
    assert problems == []
    assert {name: found[name] for name in classification.DEFAULT} == dict(classification.DEFAULT)
    assert found.keys() == classification.DEFAULT.keys()
