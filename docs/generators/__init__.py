"""The generated documents, by what they are generated from; `python docs/generate.py` writes them."""
