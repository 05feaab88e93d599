"""The engine: the only place that imports a TFLite runtime, and what stands closest to it."""
