"""Is a built notebook in step with its source?"""

from __future__ import annotations

from kafkalab.courseware.notebook import NotebookNode, as_text, assemble, without_outputs
from kafkalab.courseware.source import Kind, Source

__all__ = ["out_of_step"]


def out_of_step(notebook: NotebookNode, source: Source, kind: Kind) -> list[str]:
    """Return why the notebook is not what its source gives; an empty list where it is.

    The recorded hash tells of a changed source; the comparison of the texts, outputs aside, tells of a
    notebook that was edited by hand, and of a changed build.
    """
    recorded = notebook.metadata.get("kafkalab", {}).get("source_sha256")
    if recorded != source.sha256:
        return [f"out of step: {source.path.name} has changed since; build it again."]
    if as_text(without_outputs(notebook)) != as_text(assemble(source, kind)):
        return ["out of step: its cells differ from what its source gives now; build it again."]
    return []
