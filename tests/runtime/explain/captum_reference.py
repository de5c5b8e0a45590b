"""What captum makes of a network of torchvision with random weights. Run as a script, by an interpreter that has both.

    python captum_reference.py MODEL SIDE LAYER FOLDER

FOLDER/weights.pth   the state dict
FOLDER/found.npz     `x` (B, H, W, 3), `classes` (B,), `shape` of the layer's output, and the maps of each method;
                     those of pytorch-grad-cam (`cam-...`) where it is installed
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    import numpy as np
    import torch
    from captum import attr
    from torchvision.models import get_model

    name, side, layer, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    torch.manual_seed(0)
    model = get_model(name, weights=None)
    for module in model.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    x = torch.randn(2, 3, side, side)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
        if isinstance(module, torch.nn.Dropout):
            module.eval()
    with torch.no_grad():
        model(torch.randn(8, 3, side, side))
    model.eval()
    torch.save(model.state_dict(), folder / "weights.pth")
    classes = torch.tensor([3, 11])

    def numpy(values: torch.Tensor) -> np.ndarray:
        return np.moveaxis(values.detach().numpy(), 1, -1)

    found = {"x": numpy(x), "classes": classes.numpy(), "logits": model(x).detach().numpy()}
    found["gradient"] = numpy(attr.Saliency(model).attribute(x.clone().requires_grad_(), target=classes, abs=False))
    cam = attr.LayerGradCam(model, model.get_submodule(layer))
    found["gradcam"] = numpy(cam.attribute(x, target=classes, relu_attributions=True))[..., 0]
    _, channels, *size = attr.LayerActivation(model, model.get_submodule(layer)).attribute(x).shape
    found["shape"] = np.array([*size, channels])
    path = attr.IntegratedGradients(model)
    steps = {"method": "riemann_middle", "n_steps": 16, "internal_batch_size": 8}
    found["integrated"] = numpy(path.attribute(x, torch.zeros_like(x), target=classes, **steps))
    if name.startswith("squeezenet"):  # captum needs a module for each ReLU, and residual networks reuse theirs
        found["guided"] = numpy(attr.GuidedBackprop(model).attribute(x.clone().requires_grad_(), target=classes))
        found["deconvnet"] = numpy(attr.Deconvolution(model).attribute(x.clone().requires_grad_(), target=classes))
    if importlib.util.find_spec("pytorch_grad_cam"):
        found |= class_activation_maps(model, model.get_submodule(layer), x, classes)
    np.savez(folder / "found.npz", **found)


def class_activation_maps(model: Any, layer: Any, x: Any, classes: Any) -> dict[str, Any]:
    """The rectified maps of pytorch-grad-cam before it scales each to [0, 1] and to the size of the image.

    Its Grad-CAM++ adds 1e-6 to a denominator of squared gradients. Features divided by a number and gradients
    multiplied by it have the same maps, and make that 1e-6 negligible.
    """
    import numpy as np
    from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    found = {}
    for kind in (GradCAM, GradCAMPlusPlus, HiResCAM):
        with kind(model, [layer]) as cam:
            raw = []
            original = cam.get_cam_image

            def keep(*args: Any, original: Any = original, raw: list[Any] = raw) -> Any:
                *first, features, gradients, smooth = args
                raw.append(original(*first, features / 2**14, gradients * 2**14, smooth))
                return raw[-1]

            cam.get_cam_image = keep
            cam(x, [ClassifierOutputTarget(int(each)) for each in classes])
            found[f"cam-{kind.__name__.lower()}"] = np.maximum(raw[0], 0)
    return found


main()
