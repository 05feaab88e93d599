"""``edged model compare``: two models on the same data, by what they find and what they cost."""
