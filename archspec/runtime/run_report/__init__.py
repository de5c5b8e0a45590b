"""The report of a run: what it shows, gathered from the run directory and its data, and the HTML and Markdown of it.

It may import the run time but training, and the drawings. The command is `archspec report`.
"""
