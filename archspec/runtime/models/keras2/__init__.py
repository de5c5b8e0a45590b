"""Models that Keras 2 saved: their configuration, functions and weights. They import `models.untrusted` only."""
