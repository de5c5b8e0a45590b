"""Programs that load an export and run it, one per format; they import nothing of archspec.

Each module has `load(folder, threads) -> {name: function}`. The verification runs them by path in a process without
archspec; a server in the same environment can import them.
"""
