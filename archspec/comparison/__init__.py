"""Networks and runs side by side: tables and pictures of their cost, error rates, speed and learning curves.

Measured figures and published ones are never mixed without saying so. Imports `graph`, `drawings` and below; it reads
run directories as files, without TensorFlow.
"""
