"""The style `volumes`: feature maps as boxes, as in AlexNet's Figure 2, or as stacks of maps, as in LeNet's.

`maps` selects what is drawn, `boxes` and `stacks` draw it. Imports `graph` and the modules that all styles share.
"""
