"""Hostile input: specs, data and weight files that are mutated at random. `python -m tests.fuzz --help`.

Each module declares FAMILIES, kinds of files; `runner` examines cases of them in child processes with limits.
"""
