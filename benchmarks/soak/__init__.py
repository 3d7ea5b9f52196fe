"""The runs that take minutes: load, repeated starts, broken brokers under traffic, the lessons, a small machine."""
