"""Which of our networks each function of keras.applications builds, and at what size the two are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """A function of keras.applications with its arguments, and our reference with its settings.

    `side` is the height of the input in the comparison, the width is 6 pixels more: both small, and where the strides
    allow it odd, because that is where paddings differ.
    """

    function: str
    reference: str
    side: int
    arguments: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """MobileNet(alpha=0.5)."""
        given = ", ".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.function}({given})" if given else self.function


CASES = (
    Case("VGG16", "vgg:D", 64),
    Case("VGG19", "vgg:E", 64),
    Case("ResNet50", "resnet-keras:50", 65),
    Case("ResNet101", "resnet-keras:101", 65),
    Case("ResNet152", "resnet-keras:152", 65),
    Case("ResNet50V2", "resnet-v2-keras:50", 65),
    Case("ResNet101V2", "resnet-v2-keras:101", 65),
    Case("ResNet152V2", "resnet-v2-keras:152", 65),
    Case("InceptionV3", "inception-v3:keras", 99),
    Case("InceptionResNetV2", "inception-resnet-v2:keras", 99),
    Case("Xception", "xception", 75),
    Case("MobileNet", "mobilenet:1.0-224", 64),
    Case("MobileNet", "mobilenet:0.5-224", 71, {"alpha": 0.5}),
    Case("MobileNetV2", "mobilenet-v2:1.0", 65),
    Case("MobileNetV2", "mobilenet-v2:0.35", 70, {"alpha": 0.35}),
    Case("MobileNetV3Large", "mobilenet-v3:large", 65),
    Case("MobileNetV3Large", "mobilenet-v3:large-minimalistic", 70, {"minimalistic": True}),
    Case("MobileNetV3Small", "mobilenet-v3:small", 70),
    Case("MobileNetV3Small", "mobilenet-v3:small-minimalistic", 65, {"minimalistic": True}),
    Case("MobileNetV3Small", "mobilenet-v3:small", 64, {"alpha": 0.75}, {"alpha": 0.75}),
    Case("DenseNet121", "densenet:keras-121", 65),
    Case("DenseNet169", "densenet:keras-169", 65),
    Case("DenseNet201", "densenet:keras-201", 65),
    Case("NASNetMobile", "nasnet:keras-mobile", 64),
    Case("NASNetLarge", "nasnet:keras-large", 67),
    *(Case(f"EfficientNetB{n}", f"efficientnet:b{n}", 65 + n % 2) for n in range(8)),
    *(Case(f"EfficientNetV2B{n}", f"efficientnet-v2:b{n}", 65 + n % 2) for n in range(4)),
    *(Case(f"EfficientNetV2{size.upper()}", f"efficientnet-v2:{size}", 65) for size in "sml"),
    *(
        Case(f"ConvNeXt{name}", f"convnext:{name.lower()}", side)
        for name, side in {"Tiny": 65, "Small": 66, "Base": 67, "Large": 64, "XLarge": 65}.items()
    ),
)
