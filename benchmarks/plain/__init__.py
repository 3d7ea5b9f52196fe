"""The simulated sources once more, as plain Python loops: what the vectorised ones are measured against."""
