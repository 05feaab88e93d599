"""Model files: the watched directory, the private copies that serve, labels and sidecars."""
