"""The parts of ``train_demo_model.py``: anchors, pictures, network, export, measure."""
