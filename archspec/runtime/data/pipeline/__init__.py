"""From images to batches: the order of an epoch, augmentation, preprocessing, sharding between workers.

May import data, data.files and transforms.
"""
