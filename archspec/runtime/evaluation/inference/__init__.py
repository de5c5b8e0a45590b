"""From images to softmax outputs: the views of a protocol, the network on them, the memory, and the journal.

It may import what `archspec.runtime.evaluation` may, and nothing of that package outside this one.
"""
