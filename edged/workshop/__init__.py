"""The model workshop: from a float model to the one that serves. The daemon uses nothing of it."""
