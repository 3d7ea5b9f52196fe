"""The runs that take minutes: load, repeated starts, the lessons again and again, a small machine."""
