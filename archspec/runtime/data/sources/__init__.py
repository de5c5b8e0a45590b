"""Data sources (the forms of `--data`), one module for each kind; `dataset.open_data` opens any of them.

May import data, data.files and runtime.system.
"""
