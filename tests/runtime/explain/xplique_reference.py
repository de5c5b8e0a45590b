"""What xplique makes of a Keras model. Run as a script, by an interpreter that has xplique and tf-keras.

    python xplique_reference.py MODEL.keras INPUTS.npz OUT.npz LAYER

INPUTS.npz has `x` (B, H, W, C) and `classes` (B,). The model ends in logits.
"""

import sys
from typing import Any


def main() -> None:
    import keras
    import numpy as np
    import tensorflow as tf
    from xplique import attributions

    model = keras.saving.load_model(sys.argv[1], compile=False)
    given = np.load(sys.argv[2])
    x = given["x"]
    targets = tf.one_hot(given["classes"], model.output_shape[-1])

    def explained(name: str, **options: Any) -> Any:
        method = getattr(attributions, name)(model, batch_size=8, **options)
        return np.asarray(method(x, targets))

    found = {
        "saliency": explained("Saliency"),
        "guided": explained("GuidedBackprop", reducer=None),
        "deconvnet": explained("DeconvNet", reducer=None),
        "gradcam": explained("GradCAM", conv_layer=sys.argv[4]),
    }
    np.savez(sys.argv[3], **found)


main()
