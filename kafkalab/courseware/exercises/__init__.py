"""The exercises, one module ``lesson_NN`` for each lesson; ``kafkalab.courseware`` tells how to add one."""

from __future__ import annotations

__all__: list[str] = []
