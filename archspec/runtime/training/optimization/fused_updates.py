"""Updates of the weights on a CPU by one kernel of TensorFlow for each weight instead of Keras's 2 to 13 operations.

Each of Keras's operations reads its inputs from memory and writes its result there. TensorFlow's training kernels
compute the same formulas in 0.3 to 0.7 of the time (docs/decisions/0027-training-kernels.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Update = Callable[[Any, Any, Any], None]
"""Changes a weight: (gradient, tf.Variable, learning rate)."""
SAME_BUFFER = ("Identity", "Reshape", "ExpandDims", "Squeeze")
"""Operations whose output has the memory of their input."""


def speed_up_updates(optimizer: Any) -> bool:
    """Replace `optimizer.update_step` where TensorFlow has a kernel with Keras's formula. Returns whether it has.

    The optimizer's variables and configuration stay the same, and updates are those of Keras up to rounding. These
    optimizers have a kernel: SGD, Adam and AdamW without `amsgrad`, RMSprop with momentum and not centered. Keras's own
    computation remains for several replicas, where a GPU is visible, and for variables other than float32.

    Args:
        optimizer: a built Keras optimizer.
    """
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow" or tf.config.list_physical_devices("GPU"):
        return False
    if optimizer._distribution_strategy.num_replicas_in_sync > 1:
        return False
    update = _kernel(keras.optimizers, tf, optimizer)
    if update is None:
        return False
    keras_update = optimizer.update_step

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        if variable.dtype != tf.float32 or not isinstance(gradient, tf.Tensor):
            keras_update(gradient, variable, learning_rate)
            return
        rate = keras.ops.cast(learning_rate, "float32")
        with tf.control_dependencies(readers(tf, variable)):
            update(keras.ops.cast(gradient, "float32"), variable, rate)

    optimizer.update_step = update_step
    return True


def _kernel(optimizers: Any, tf: Any, optimizer: Any) -> Update | None:
    """The kernel that computes what `optimizer.update_step` does."""
    kind, kernels = type(optimizer), tf.raw_ops

    def of(slots: Any, variable: Any) -> Any:
        return slots[optimizer._get_variable_index(variable)].value.handle

    def sgd(gradient: Any, variable: Any, rate: Any) -> None:
        kernels.ResourceApplyGradientDescent(var=variable.handle, alpha=rate, delta=gradient)

    def momentum(gradient: Any, variable: Any, rate: Any) -> None:
        kernels.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=of(optimizer.momentums, variable),
            lr=rate,
            grad=gradient,
            momentum=optimizer.momentum,
            use_nesterov=optimizer.nesterov,
        )

    def adam(gradient: Any, variable: Any, rate: Any) -> None:
        step = tf.cast(tf.convert_to_tensor(optimizer.iterations) + 1, tf.float32)
        kernels.ResourceApplyAdam(
            var=variable.handle,
            m=of(optimizer._momentums, variable),
            v=of(optimizer._velocities, variable),
            beta1_power=tf.pow(optimizer.beta_1, step),
            beta2_power=tf.pow(optimizer.beta_2, step),
            lr=rate,
            beta1=optimizer.beta_1,
            beta2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
            grad=gradient,
        )

    def rmsprop(gradient: Any, variable: Any, rate: Any) -> None:
        kernels.ResourceApplyRMSProp(
            var=variable.handle,
            ms=of(optimizer._velocities, variable),
            mom=of(optimizer._momentums, variable),
            lr=rate,
            rho=optimizer.rho,
            momentum=optimizer.momentum,
            epsilon=optimizer.epsilon,
            grad=gradient,
        )

    if kind is optimizers.SGD:
        return momentum if optimizer.momentum else sgd
    if kind in (optimizers.Adam, optimizers.AdamW) and not optimizer.amsgrad:
        return adam
    if kind is optimizers.RMSprop and optimizer.momentum and not optimizer.centered:
        return rmsprop
    return None


def readers(tf: Any, variable: Any) -> list[Any]:
    """The operations of the graph so far that use the value of a variable; none outside of a graph.

    If an update runs while the value is still in use, TensorFlow copies the weights first.
    """
    if tf.executing_eagerly():
        return []
    handle = tf.compat.v1.get_default_graph().capture(variable.handle)
    return [use for read in handle.consumers() if read.type == "ReadVariableOp" for use in _uses(read)]


def _uses(operation: Any) -> Iterator[Any]:
    for output in operation.outputs:
        for use in output.consumers():
            if use.type in SAME_BUFFER:
                yield from _uses(use)
            else:
                yield use
