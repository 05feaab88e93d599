"""How long tests wait for what takes a moment on an idle machine."""

PATIENCE_S = 120.0  # of a busy one: what is tried gives way to all else, and takes its time
