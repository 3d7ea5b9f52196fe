"""Rules about pictures: nbval does not compare them at all."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator

from kafkalab.courseware.notebook import NotebookNode
from kafkalab.courseware.rules.cells import Built, code_cells

__all__ = ["pictures_are_real", "pictures_have_alt_text"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
WIDTHS, HEIGHTS = range(200, 2401), range(100, 2401)


def pictures_are_real(built: Built) -> list[str]:
    """Every PNG decodes, and is 200 to 2400 pixels wide and 100 to 2400 high."""
    return [
        f"cell {number}: {complaint}"
        for number, output in _pictures(built)
        if (complaint := _complaint(output.data["image/png"]))
    ]


def _complaint(encoded: str) -> str | None:
    try:
        data = base64.b64decode(encoded.replace("\n", ""), validate=True)
    except binascii.Error:
        return "its picture is no base64 text."
    if not data.startswith(SIGNATURE) or data[12:16] != b"IHDR" or b"IEND" not in data[-12:]:
        return "its picture is no whole PNG."
    width, height = struct.unpack(">II", data[16:24])
    if width not in WIDTHS or height not in HEIGHTS:
        return f"its picture measures {width} x {height} pixels; aim at about 800 x 500."
    return None


def pictures_have_alt_text(built: Built) -> list[str]:
    """Every PNG carries an alternative text of 20 characters or more; ``courseware.show`` puts it there."""
    return [
        f"the picture of cell {number} has no alternative text; show it with show(figure, alt=...)."
        for number, output in _pictures(built)
        if len(str(output.metadata.get("image/png", {}).get("alt", "")).strip()) < 20
    ]


def _pictures(built: Built) -> Iterator[tuple[int, NotebookNode]]:
    for number, cell in code_cells(built):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                yield number, output
