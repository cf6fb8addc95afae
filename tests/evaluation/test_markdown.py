from __future__ import annotations

from unblemish.evaluation.markdown import markdown_table


def test_text_stands_left_and_numbers_right() -> None:
    found = markdown_table(["arm", "dB"], [["a", "1.0"], ["b", "–"]])
    assert found == "| arm | dB |\n| --- | ---: |\n| a | 1.0 |\n| b | – |"
