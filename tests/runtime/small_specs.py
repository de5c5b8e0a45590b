"""Specs of small networks that train in a second: one with all that a resumed run must restore, one that blows up."""

SPEC = """\
name: small
input: [8, 8, 1]
params: {classes: 10}
layers:
  - conv: {filters: 6, kernel_size: 3, strides: 2, padding: same, use_bias: false}
  - bn: {momentum: 0.8}
  - relu
  - flatten
  - dropout: 0.1
  - dense: $classes
  - softmax
preprocess: [scale: 0.00392156862745098]
train:
  epochs: 3
  batch_size: 150
  optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9, use_ema: true, gradient_accumulation_steps: 2}}
  schedule: {plateau: {monitor: loss, factor: 0.5, patience: 1, min_delta: 100}} # drops after epoch 2
  warmup: {epochs: 1}
  early_stopping: {patience: 5}
  weight_decay: 1e-3
  augment: [random_shift: 1]
"""

BLOWN = """\
name: blown
input: [8, 8, 1]
layers:
  - {conv: {filters: 4, kernel_size: 3}, name: one}
  - relu
  - {conv: {filters: 4, kernel_size: 3}, name: two}
  - flatten
  - {dense: 10, name: three}
  - softmax
preprocess: [scale: 0.00392156862745098]
train: {epochs: 3, batch_size: 150, schedule: {step: {epochs: [1], gamma: 1.0e17}}}
"""
"""A rate of 10^15 in the second epoch: see `test_a_loss_that_is_no_number_names_the_layer`."""
