"""What runs the nodes of a cluster."""

__all__: list[str] = []
