"""HTTP: connections, requests and answers of a server, its page and its metrics.

It may import what runtime.serve.models may, and that. Only here are the packages of the extra `serve` imported.
"""
