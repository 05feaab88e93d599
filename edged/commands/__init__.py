"""What the commands do, without printing: each is given a ``tell``."""
