"""Which devices train, and the TensorFlow strategy over them: one replica of the network a device."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.data.pipeline.sharding import Share
from archspec.runtime.distributed.cluster import Hosts, no_port
from archspec.runtime.system.tensorflow_import import import_tensorflow, need_tensorflow_backend, warnings_hidden

Devices = int | str | None
"""What `--devices` says: None or "all" is every visible GPU, or else the one CPU; a number is that many; "cpu:2" is two
logical devices of the CPU, even where there are GPUs."""


MOST_CPUS = 32
"""Logical devices of the CPU. A traced step asks the iterator once for each device, and TensorFlow takes the 33rd
`get_next` in one function for a mistake (`GET_NEXT_CALL_ERROR_THRESHOLD` of its iterator_ops.py)."""


def make_strategy(devices: Devices = None, hosts: Hosts | None = None) -> Any:
    """A tf.distribute.MirroredStrategy, one replica a device; with one device it costs nothing.

    Without a GPU, N devices are N logical devices of the one CPU: of use for tests, since the weights after training
    are the same with any number of replicas. With several hosts it is a MultiWorkerMirroredStrategy over N devices of
    each, and waits until all of them are there.

    Raises:
        ArchspecError: `backend` when Keras does not run on TensorFlow, `devices` for a number that is not positive,
            more GPUs than are visible or more than 32 logical devices, and `devices-late` for several logical CPU
            devices after TensorFlow has begun to run. `hosts` for several CPU devices on several hosts, and when
            TensorFlow runs already.
    """
    need_tensorflow_backend()
    tf = import_tensorflow()
    cpus = _cpus(devices)
    if cpus:
        with contextlib.suppress(RuntimeError):  # TensorFlow already runs: the GPUs stay seen, and unused
            tf.config.set_visible_devices([], "GPU")
    gpus = [] if cpus else tf.config.get_visible_devices("GPU")
    number = cpus or _number(devices, max(len(gpus), 1))
    if number > len(gpus) > 0:
        raise fail(
            "devices",
            f"{number} devices are asked for, and {_counted(len(gpus), 'GPU')} can be seen",
            help="leave `--devices` out to use all of them",
        )
    if hosts is not None:
        return _several_hosts(hosts, number, tuple(gpus[:number]))
    if not gpus:
        if number > MOST_CPUS:
            fact = f"the CPU is split into {MOST_CPUS} devices at most, and {number} are asked for"
            raise fail("devices", fact, help="devices of one CPU share its cores: more than a few are of no use")
        _split_cpu(tf, number)
    names = [device.name for device in tf.config.list_logical_devices("GPU" if gpus else "CPU")]
    return _mirrored(tuple(names[:number]))


@functools.cache
def _mirrored(names: tuple[str, ...]) -> Any:
    """One strategy a process for the same devices: TensorFlow numbers their collective operations only once."""
    tf = import_tensorflow()
    with warnings_hidden():
        return tf.distribute.MirroredStrategy(names)


@functools.cache
def _several_hosts(hosts: Hosts, number: int, gpus: tuple[Any, ...]) -> Any:
    """One strategy a process, over `number` devices of each host. Its port is open from now on."""
    tf = import_tensorflow()
    if number > 1 and not gpus:
        fact = "without GPUs each host trains on one device, and more are asked for"
        raise fail("hosts", fact, help="leave `--devices` out, or start several workers on the host")
    cluster = tf.train.ClusterSpec({"worker": list(hosts.workers)})
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        cluster, task_type="worker", task_id=hosts.worker, rpc_layer="grpc"
    )
    try:
        tf.config.set_visible_devices(list(gpus), "GPU")
        with warnings_hidden():
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:
        help = "start training on several hosts in a process of its own"
        raise fail("hosts", "TensorFlow is already running, and can no longer join other hosts", help=help) from error
    except tf.errors.OpError as error:
        raise no_port(hosts, str(error.message).splitlines()[0]) from error


def describe(strategy: Any, hosts: Hosts | None = None) -> str:
    """`1 CPU`, `2 GPUs`, `2 hosts with 1 CPU each`."""
    if hosts is not None:
        each = len(strategy.extended.worker_devices)
        kind = "GPU" if "GPU" in strategy.extended.worker_devices[0] else "CPU"
        return f"{len(hosts.workers)} hosts with {_counted(each, kind)} each"
    kind = "GPU" if "GPU" in strategy.extended.worker_devices[0] else "CPU"
    number: int = strategy.num_replicas_in_sync
    return _counted(number, kind if kind == "GPU" or number == 1 else "logical CPU device")


def share_of(strategy: Any, hosts: Hosts) -> Share:
    """What the devices of this host take of each global batch: TensorFlow numbers replicas host by host."""
    here = len(strategy.extended.worker_devices)
    return Share(hosts.worker * here, here, strategy.num_replicas_in_sync)


def _number(devices: Devices, every: int) -> int:
    if devices is None or devices == "all":
        return every
    if isinstance(devices, str) and devices.isdecimal():
        devices = int(devices)
    if isinstance(devices, int) and devices >= 1:
        return devices
    help = "give a number from 1, `all`, or `cpu:N` for N parts of the CPU"
    raise fail("devices", f"`{devices}` is not a number of devices", help=help)


def _cpus(devices: Devices) -> int | None:
    """How many logical CPU devices `cpu:N` asks for; None for any other form."""
    kind, _, number = devices.partition(":") if isinstance(devices, str) else ("", "", "")
    return int(number) if kind == "cpu" and number.isdecimal() and int(number) >= 1 else None


def _split_cpu(tf: Any, number: int) -> None:
    """Make `number` logical devices of the CPU, which TensorFlow allows only before it runs anything."""
    if number == 1:
        return
    (cpu,) = tf.config.list_physical_devices("CPU")
    wanted = [tf.config.LogicalDeviceConfiguration()] * number
    if len(tf.config.get_logical_device_configuration(cpu) or ()) == number:
        return
    try:
        tf.config.set_logical_device_configuration(cpu, wanted)
    except RuntimeError:
        if len(tf.config.list_logical_devices("CPU")) < number:
            raise fail(
                "devices-late",
                f"TensorFlow is already running, and its CPU can no longer be split into {number} devices",
                help="ask for the devices before anything else in this process uses TensorFlow",
            ) from None


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"


@contextlib.contextmanager
def replicas_in_step(model: Any, replicas: int) -> Iterator[None]:
    """Make the layers that look at a whole batch exact over several replicas, and put them back afterwards.

    Batch normalization takes its moments over all replicas (Ioffe & Szegedy 2015, section 3): otherwise each replica
    keeps its own moving statistics. Dropout draws another mask on each replica: otherwise all draw the same.
    What is saved afterwards does not know of replicas.
    """
    import keras

    if replicas == 1:
        yield
        return
    normalizations = [
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization) and not layer.synchronized
    ]
    random = [
        layer
        for layer in model.layers
        if isinstance(getattr(layer, "seed_generator", None), keras.random.SeedGenerator)
    ]
    for layer in normalizations:
        layer.synchronized = True
    for layer in random:
        layer.seed_generator.next = _seeds_by_replica(keras, layer.seed_generator)
    try:
        yield
    finally:
        for layer in normalizations:
            layer.synchronized = False
        for layer in random:
            del layer.seed_generator.next


def _seeds_by_replica(keras: Any, generator: Any) -> Any:
    """The generator's next seed (2,), its first half shifted by the replica's number; replica 0 keeps it."""
    tf = import_tensorflow()
    draw = generator.next

    def next_seed(ordered: bool = True) -> Any:
        seed = draw(ordered)
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0
        return seed + tf.cast(tf.stack([replica, 0]) * 0x3C6EF35F, seed.dtype)

    return next_seed
