"""The devices of a run, and TensorFlow's distribution strategy over them: one replica of the network per device."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from archspec.diagnostics import counted, fail
from archspec.runtime.data.pipeline.epoch_plan import Share
from archspec.runtime.distributed.cluster import Cluster, cannot_listen, connecting
from archspec.runtime.system.tensorflow_import import import_tensorflow, need_tensorflow_backend, warnings_hidden

Devices = int | str | None
"""`--devices`: None or "all" is every visible GPU, or else the one CPU; a number is that many; "cpu:2" is two logical
devices of the CPU, even beside GPUs."""

MAX_CPUS = 32
"""Logical devices of the CPU. The traced step calls the iterator once per device, and TensorFlow rejects the 33rd
`get_next` in one function (`GET_NEXT_CALL_ERROR_THRESHOLD` of its iterator_ops.py)."""


def make_strategy(
    devices: Devices = None, cluster: Cluster | None = None, note: Callable[[str], None] = lambda line: None
) -> Any:
    """A tf.distribute.MirroredStrategy with one replica per device; with one device it adds no cost.

    Without a GPU, N devices are N logical devices of the one CPU: useful for tests, since the weights after training
    are the same for any number of replicas. With a cluster it is a MultiWorkerMirroredStrategy over N devices of each
    worker, which waits for all workers.

    Args:
        note: receives the names of workers that are still missing.

    Raises:
        ArchspecError: `backend` when Keras does not run on TensorFlow, `devices` for a number that is not positive,
            more GPUs than are visible or more than 32 logical devices, and `devices-late` for several logical CPU
            devices after TensorFlow has started. `hosts` for several CPU devices per worker, after TensorFlow has
            started, and as `connecting` says.
    """
    cpus = _cpus(devices)
    _ = cpus or _number(devices, 1)  # a wrong option is reported before TensorFlow is imported
    need_tensorflow_backend()
    tf = import_tensorflow()
    if cpus:
        with contextlib.suppress(RuntimeError):  # TensorFlow has started: the GPUs stay visible, and unused
            tf.config.set_visible_devices([], "GPU")
    gpus = [] if cpus else tf.config.get_visible_devices("GPU")
    number = cpus or _number(devices, max(len(gpus), 1))
    if number > len(gpus) > 0:
        raise fail(
            "devices",
            f"{counted(number, 'device')} requested, but {counted(len(gpus), 'GPU')} visible",
            help="leave `--devices` out to use all of them",
        )
    if cluster is not None:
        if number > 1 and not gpus:
            raise fail(
                "hosts",
                "a worker without GPUs has one device, but more are requested",
                help="leave `--devices` out, or start several workers on the machine",
            )
        with connecting(cluster, note):
            return _multi_worker(cluster, tuple(gpus[:number]))
    if not gpus:
        if number > MAX_CPUS:
            raise fail(
                "devices",
                f"the CPU can be split into at most {MAX_CPUS} logical devices, but {number} are requested",
                help="logical devices share the cores of the CPU: a few are enough for tests",
            )
        _split_cpu(tf, number)
    names = [device.name for device in tf.config.list_logical_devices("GPU" if gpus else "CPU")]
    return _mirrored(tuple(names[:number]))


@functools.cache
def _mirrored(names: tuple[str, ...]) -> Any:
    """Cached, since TensorFlow numbers the collectives of the same devices only once in a process."""
    with warnings_hidden():
        return import_tensorflow().distribute.MirroredStrategy(names)


def _multi_worker(cluster: Cluster, gpus: tuple[Any, ...]) -> Any:
    """Opens the port of this worker until the process ends."""
    tf = import_tensorflow()
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.workers)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
    )
    try:
        tf.config.set_visible_devices(list(gpus), "GPU")
        with warnings_hidden():
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:
        raise fail(
            "hosts",
            "TensorFlow has already started in this process, and can no longer connect to other workers",
            help="start each worker in a new process",
        ) from error
    except tf.errors.OpError as error:
        raise cannot_listen(cluster, str(error.message).splitlines()[0]) from error


def describe(strategy: Any, cluster: Cluster | None = None) -> str:
    """`1 CPU`, `2 GPUs`, `2 workers with 1 CPU each`."""
    kind = "GPU" if "GPU" in strategy.extended.worker_devices[0] else "CPU"
    if cluster is not None:
        each = len(strategy.extended.worker_devices)
        return f"{counted(len(cluster.workers), 'worker')} with {counted(each, kind)} each"
    number: int = strategy.num_replicas_in_sync
    return counted(number, kind if kind == "GPU" or number == 1 else "logical CPU device")


def worker_share(strategy: Any, cluster: Cluster) -> Share:
    """The part of each global batch that the devices of this worker process; TensorFlow numbers replicas by worker."""
    local = len(strategy.extended.worker_devices)
    return Share(cluster.index * local, local, strategy.num_replicas_in_sync)


def _number(devices: Devices, visible: int) -> int:
    if devices is None or devices == "all":
        return visible
    if isinstance(devices, str) and devices.isdecimal():
        devices = int(devices)
    if isinstance(devices, int) and devices >= 1:
        return devices
    raise fail(
        "devices",
        f"`{devices}` is not a number of devices",
        help="give a number from 1, `all`, or `cpu:N` for N logical devices of the CPU",
    )


def _cpus(devices: Devices) -> int | None:
    """The N of `cpu:N`; None for any other form."""
    kind, _, number = devices.partition(":") if isinstance(devices, str) else ("", "", "")
    return int(number) if kind == "cpu" and number.isdecimal() and int(number) >= 1 else None


def _split_cpu(tf: Any, number: int) -> None:
    """Make `number` logical devices of the CPU, which TensorFlow allows only before it starts."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    if number == 1 or len(tf.config.get_logical_device_configuration(cpu) or ()) == number:
        return
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * number)
    except RuntimeError:
        if len(tf.config.list_logical_devices("CPU")) < number:
            raise fail(
                "devices-late",
                f"TensorFlow has already started, and its CPU can no longer be split into {counted(number, 'device')}",
                help="request the devices before anything else in this process uses TensorFlow",
            ) from None


@contextlib.contextmanager
def replicas_in_step(model: Any, replicas: int) -> Iterator[None]:
    """Make the layers that see a whole batch, or draw random numbers, exact over several replicas; undone afterwards.

    Batch normalization takes its moments over all replicas (Ioffe & Szegedy 2015, section 3): otherwise each replica
    has its own moving statistics. Dropout draws a different mask on each replica: otherwise all draw the same one.
    The saved model has neither change.
    """
    import keras

    layers = model.layers if replicas > 1 else ()
    normalizations = [
        layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization) and not layer.synchronized
    ]
    generators = [
        layer.seed_generator
        for layer in layers
        if isinstance(getattr(layer, "seed_generator", None), keras.random.SeedGenerator)
    ]
    for layer in normalizations:
        layer.synchronized = True
    for generator in generators:
        generator.next = _seeds_by_replica(generator)
    try:
        yield
    finally:
        for layer in normalizations:
            layer.synchronized = False
        for generator in generators:
            del generator.next


def _seeds_by_replica(generator: Any) -> Any:
    """The generator's `next`, which returns a seed (2,), with the first half shifted by the index of the replica."""
    tf = import_tensorflow()
    draw = generator.next

    def next_seed(ordered: bool = True) -> Any:
        seed = draw(ordered)
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0
        return seed + tf.cast(tf.stack([replica, 0]) * 0x3C6EF35F, seed.dtype)

    return next_seed
