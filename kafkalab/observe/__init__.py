"""Looking at a cluster: as it is now, and how it came to be so.

:func:`live` shows it in a notebook, refreshed twice a second. :func:`watch` keeps what goes on while a block runs, and
:mod:`kafkalab.observe.plots` draws it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kafkalab.observe.live_view import LiveView, live
    from kafkalab.observe.timeline import Timeline, watch

__all__ = ["LiveView", "Timeline", "live", "watch"]

_HOMES = {"LiveView": "live_view", "Timeline": "timeline", "live": "live_view", "watch": "timeline"}


# Loaded when first asked for, as in kafkalab itself: a figure needs no widget, and a widget no figure.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            from importlib import import_module

            return getattr(import_module(f"kafkalab.observe.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
