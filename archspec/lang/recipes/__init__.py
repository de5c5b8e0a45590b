"""Optimizers, losses and schedules of a recipe: those of Keras under Keras's names, and the papers' short forms."""
