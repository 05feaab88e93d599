"""edged: TFLite inference on a Raspberry Pi, results over MQTT, raw data never."""

__version__ = "0.1.0"
