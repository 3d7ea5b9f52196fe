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
    report = ProgressReport((("00.a", "Do <this>.", "done"), ("00.bcd", "Do that.", "open")))
    assert repr(report) == "[x] 00.a    Do <this>.\n[ ] 00.bcd  Do that.\n1 of 2 exercises done."
    html = report._repr_html_()
    assert "<td>done</td><td>00.a</td>" in html
    assert "<td>open</td><td>00.bcd</td>" in html
    assert "Do &lt;this&gt;." in html
    assert report.summary in html


def test_what_cannot_be_done_here_is_not_counted_as_open() -> None:
    report = ProgressReport((("04.a", "Do this.", "left out"), ("04.b", "Do that.", "done"), ("04.c", "And?", "open")))
    said = "1 of 3 exercises done; 1 left out, as this cluster is borrowed."
    assert repr(report).splitlines() == ["[-] 04.a  Do this.", "[x] 04.b  Do that.", "[ ] 04.c  And?", said]
    html = report._repr_html_()
    assert "<td>left out</td><td>04.a</td>" in html
    assert said in html
