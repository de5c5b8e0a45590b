"""Pages that are right and pages that are wrong, each a test by being there."""
