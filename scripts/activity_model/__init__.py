"""The parts of ``train_activity_model.py``: recordings, lessons, network, export, measure."""
