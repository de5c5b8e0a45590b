"""What a server bounds: memory, time and connections, so that no client can exhaust them."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """The bounds of a server.

    Attributes:
        body: bytes of a request, also after decompression.
        pixels: of an image, by its header.
        queue: images or instances that wait or are being computed.
        batch: images or instances in a batch.
        seconds: for a request, from its header to the answer.
        connections: open at the same time.
        header_seconds: for the header of a request to arrive.
        idle_seconds: until a connection without requests is closed.
        linger_seconds: to read the rest of a refused request, or for the client to read the answer.
    """

    body: int = 32 * MIB
    pixels: int = 32_000_000
    queue: int = 256
    batch: int = 16
    seconds: float = 30.0
    connections: int = 256
    header_seconds: float = 10.0
    idle_seconds: float = 60.0
    linger_seconds: float = 5.0

    @property
    def bodies(self) -> int:
        """Bytes of all requests that are being read or answered."""
        return 8 * self.body

    @property
    def drain_seconds(self) -> float:
        """For the requests that are under way when the server stops."""
        return self.seconds + 1
