"""Specs that are right and specs that are wrong, each a test by being there."""
