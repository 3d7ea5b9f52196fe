from __future__ import annotations

import pytest
from IPython.utils.capture import capture_output
from matplotlib.figure import Figure

from kafkalab.courseware.pictures import show
from kafkalab.errors import InvalidArgument


@pytest.fixture
def figure() -> Figure:
    figure = Figure()
    figure.subplots().plot([1, 2])
    return figure


def test_a_picture_without_text_is_refused(figure: Figure) -> None:
    with pytest.raises(InvalidArgument, match="needs a text"):
        show(figure, alt=" ")


@pytest.mark.usefixtures("one_shell")
def test_the_text_is_the_plain_twin_the_alternative_and_the_caption(figure: Figure) -> None:
    with capture_output() as captured:
        show(figure, alt="A rising line.")
    (output,) = captured.outputs
    assert output.data["text/plain"] == "A rising line."
    assert output.data["image/png"].startswith(b"\x89PNG")
    assert output.metadata == {"image/png": {"alt": "A rising line."}}
    assert captured.stdout == "A rising line.\n"
