"""Pictures in a lesson: shown once, with a text that says the same to who cannot see it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from IPython.display import display

from kafkalab.errors import InvalidArgument

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["show"]


def show(figure: Figure, alt: str) -> None:
    """Show a matplotlib figure as PNG with its text twin.

    The text is the picture's alternative text, its plain form where pictures cannot be shown, and its
    caption: JupyterLab 4.6 drops alternative texts, and a screen reader would find nothing there. The figure
    is closed, or the notebook would show it once more below the cell.

    Args:
        figure: what to show.
        alt: what the picture says, in a sentence or two.

    Raises:
        InvalidArgument: the alternative text is empty.
    """
    if not alt.strip():
        raise InvalidArgument("a picture needs a text: say in alt what it shows.")
    from matplotlib import pyplot as plt  # late: notebooks without pictures need not pay half a second

    buffer = io.BytesIO()
    # Without the name and version of the software: the same picture is the same bytes.
    figure.savefig(buffer, format="png", bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    data = {"image/png": buffer.getvalue(), "text/plain": alt}
    display(data, metadata={"image/png": {"alt": alt}}, raw=True)  # type: ignore[no-untyped-call]
    print(alt)
