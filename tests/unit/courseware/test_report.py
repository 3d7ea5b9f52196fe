from __future__ import annotations

from kafkalab.courseware.report import ProgressReport, Solution


def test_a_solution_is_folded_in_html_and_plain_in_text() -> None:
    shown = Solution("00.a", "Compare <a> & <b>.", "a < b")
    assert repr(shown) == "Solution of 00.a: Compare <a> & <b>.\n\na < b"
    assert shown._repr_html_() == (
        "<details><summary>Solution of 00.a: Compare &lt;a&gt; &amp; &lt;b&gt;.</summary>"
        "<pre><code>a &lt; b</code></pre></details>"
    )


def test_the_table_says_the_same_in_html_and_in_text() -> None:
    report = ProgressReport((("00.a", "Do <this>.", True), ("00.bcd", "Do that.", False)))
    assert repr(report) == "[x] 00.a    Do <this>.\n[ ] 00.bcd  Do that.\n1 of 2 exercises done."
    html = report._repr_html_()
    assert "<td>done</td><td>00.a</td>" in html
    assert "<td>open</td><td>00.bcd</td>" in html
    assert "Do &lt;this&gt;." in html
    assert report.summary in html
