"""The side of captum in explain.py: forward passes of each method on torchvision's resnet50, as JSON on the last line.

python torch_explain.py SIDE IMAGES ROUNDS
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any


def main() -> None:
    import torch
    from captum import attr
    from torchvision.models import resnet50

    side, images, rounds = map(int, sys.argv[1:])
    torch.manual_seed(0)
    model = resnet50(weights=None).eval()
    x = torch.randn(images, 3, side, side).to(memory_format=torch.channels_last)
    target = torch.zeros(images, dtype=torch.long)
    saliency, cam = attr.Saliency(model), attr.LayerGradCam(model, model.layer4)
    path, few = attr.IntegratedGradients(model), x[:1]
    points = {"n_steps": 16, "method": "riemann_middle", "internal_batch_size": images}

    def forward() -> Any:
        with torch.no_grad():
            return model(x)

    methods: dict[str, tuple[Callable[[], Any], int]] = {
        "forward pass": (forward, images),
        "gradcam": (lambda: cam.attribute(x, target), images),
        "saliency": (lambda: saliency.attribute(x.clone().requires_grad_(), target), images),
        "integrated-gradients": (lambda: path.attribute(few, torch.zeros_like(few), target=0, **points), 1),
    }
    times: dict[str, list[float]] = {name: [] for name in methods}
    for number in range(rounds + 1):
        for name, (run, count) in methods.items():
            started = time.process_time()
            run()
            if number:
                times[name].append((time.process_time() - started) / count)
    medians = {name: statistics.median(each) for name, each in times.items()}
    print(json.dumps({name: each / medians["forward pass"] for name, each in medians.items()}))


main()
