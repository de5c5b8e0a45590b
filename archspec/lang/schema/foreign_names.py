"""Names of operators, arguments and recipes in other libraries, as `foreign` compares them.

Lower case without `_`, the module and the rank: `BatchNorm2d` and `batch_norm` are `batchnorm`.
"""

from __future__ import annotations

OPERATORS: dict[str, tuple[str, ...]] = {
    "adaptive_avgpool": ("adaptiveavgpooling", "adaptivepool", "adaptiveaveragepooling"),
    "add": ("plus",),
    "attention": ("mha", "selfattention", "multiheadselfattention"),
    "avgpool": ("averagepool", "avgpooling", "meanpool", "meanpooling", "avg"),
    "bn": ("batchnorm", "bnorm", "syncbatchnorm", "batchnormalisation"),
    "channel_shuffle": ("shuffle", "shufflechannels"),
    "concat": ("cat", "merge", "concatenation"),
    "conv": ("convolution", "convolutional", "convlayer", "atrousconv", "dilatedconv", "pointwiseconv"),
    "conv_transpose": ("deconv", "deconvolution", "transposeconv", "transposedconv", "upconv", "convtransposed"),
    "dense": ("fc", "fullyconnected", "linear", "linearlayer", "innerproduct", "denselayer", "lazylinear"),
    "depthwise_conv": ("depthwise", "dwconv", "convdw"),
    "dropout": ("drop", "alphadropout", "gaussiandropout"),
    "flatten": ("flattenlayer", "view"),
    "flip": ("reverse", "fliplr", "flipud"),
    "global_avgpool": ("gap", "globalaveragepool", "globalpool", "globalpooling", "avgpoolglobal"),
    "global_maxpool": ("gmp", "globalmaxpooling"),
    "group_norm": ("gn", "groupnorm"),
    "hard_swish": ("hswish",),
    "hard_sigmoid": ("hsigmoid",),
    "layer_norm": ("ln", "layernorm", "layernormalisation"),
    "leaky_relu": ("lrelu", "leaky"),
    "lrn": ("localresponsenormalization", "localnorm", "responsenorm"),
    "matmul": ("bmm",),
    "maxpool": ("pool", "pooling", "maxpoollayer"),
    "multiply": ("mul", "product"),
    "permute": ("swapaxes", "moveaxis"),
    "reduce_variance": ("variance",),
    "same_pad": ("samepadding",),
    "separable_conv": ("sepconv", "depthwiseseparable", "depthwiseseparableconv", "separable"),
    "sigmoid": ("logistic",),
    "softmax": ("softmaxlayer",),
    "spatial_dropout": ("featuredropout", "channeldropout"),
    "stochastic_depth": ("droppath", "dropconnect"),
    "subtract": ("sub", "minus"),
    "unit_norm": ("l2norm", "l2normalize", "l2normalization"),
    "upsample": (
        "upsampling",
        "interpolate",
        "resize",
        "resizing",
        "unpool",
        "upsamplingnearest",
        "upsamplingbilinear",
    ),
    "zero_pad": ("pad", "padding", "zeropad", "constantpad"),
}
"""Operator -> its names in other libraries; Keras's own class names are added."""

ELSEWHERE: dict[str, str] = {
    "activation": "write the activation itself: `- relu`",
    "input": "the input is given once, at the top of the spec: `input: [224, 224, 3]`",
    "inputlayer": "the input is given once, at the top of the spec: `input: [224, 224, 3]`",
    "output": "the last layer is the output; for several outputs, list their names under `outputs`",
    "mean": "write `reduce_mean: -1` for the mean along an axis, or `global_avgpool` for that of each channel",
    "max": "write `reduce_max: -1` for the maximum along an axis, `maxpool: 2` for windows, or `global_maxpool`",
    "min": "write `reduce_min: -1` for the minimum along an axis, or `minimum` for that of several layers",
    "sum": "write `reduce_sum: -1` for the sum along an axis, or `add: {left: [...], right: [...]}` for that of layers",
    "std": "write `reduce_variance: {axis: -1, keepdims: true}` and `sqrt`",
    "pow": "write `square`, `sqrt` or `reciprocal`; `power: {left: [...], right: [...]}` takes two layers",
    **dict.fromkeys(
        ("batchdot", "dotproduct"),
        "write `dot: {axes: [2, 1], left: [...], right: [...]}`, or `{dot: -1, from: [a, b]}`",
    ),
    "split": "write `parts: {first: 16, second: ~}`, or `channel_split: INDEX` for one of equal groups of channels",
    "repeatvector": "write `reshape: [1, $channels]` and `upsample: N`",
    **dict.fromkeys(
        ("stdconv", "stdconvsame", "wsconv"), "write `conv: {filters: ..., standardize: true}`: standardized weights"
    ),
    **dict.fromkeys(
        ("scaledstdconv", "scaledstdconvsame", "scaledwsconv"), "write `conv: {filters: ..., standardize: scaled}`"
    ),
    "identity": "leave this layer out",
    "noop": "leave this layer out",
    "instancenorm": "write `group_norm: $channels`, which normalizes each channel alone",
    "instancenormalization": "write `group_norm: $channels`, which normalizes each channel alone",
    "localresponsenorm": "write `lrn: {depth_radius: 2, bias: 1, alpha: 2e-5, beta: 0.75}` for PyTorch's `size=5, "
    "alpha=1e-4, k=1`: size is 2 depth_radius + 1, and PyTorch divides alpha by it",
    "lambda": "write the function with operators such as `clip` or `multiply`, or add an operator: docs/extending.md",
    "sequential": "write its layers as items of this list, or define them once, as a block under `blocks`",
    "modulelist": "write its layers as items of this list, or define them once, as a block under `blocks`",
    **dict.fromkeys(
        ("skip", "shortcut", "skipconnection", "residualblock", "resblock", "identityblock"),
        "write `residual: {body: [...]}`",
    ),
    **dict.fromkeys(
        ("lstm", "gru", "rnn", "simplernn", "embedding", "bidirectional"),
        "archspec has no operators for text and recurrent networks; a plugin can add one: docs/extending.md",
    ),
    **dict.fromkeys(
        ("pixelshuffle", "depthtospace", "subpixel", "subpixelconv"),
        "archspec has no such operator; `conv_transpose` and `upsample` also enlarge feature maps",
    ),
    **dict.fromkeys(("noise", "gaussiannoise"), "archspec has no operator for noise; `dropout` regularizes"),
    **dict.fromkeys(
        ("crossentropy", "crossentropyloss", "loss", "sigmoidcrossentropy", "softmaxwithloss", "binarycrossentropy"),
        "end the network with `softmax`; the loss belongs to the recipe: `train: {loss: ...}`",
    ),
}
"""What is not an operator of archspec -> the remedy."""

OF_OPERATOR: dict[str, dict[str, str]] = {
    "attention": dict.fromkeys(
        ("window", "windowsize", "shift", "shiftsize"),
        "attention within windows of a map is `window_attention: {num_heads: 3, window: 7, shift: 3}`",
    ),
    "window_attention": dict.fromkeys(
        ("bias", "relativebias", "relativepositionbias", "relposbias", "relpos"),
        "the relative position bias is always there; `use_bias` is for the biases of the projections",
    ),
}
"""Operator -> argument of another operator -> the remedy."""

CHANNELS = ("filters", "units", "channels")
ARGUMENTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("outchannels", "outfeatures", "outputchannels", "outputdim", "numfilters", "nfilters", "numoutput", "nout"),
        CHANNELS,
    ),
    **dict.fromkeys(("channels", "filters", "units", "features", "neurons", "nodes", "width", "n", "out"), CHANNELS),
    **dict.fromkeys(
        ("kernel", "kernels", "kernelsize", "ksize", "k", "size", "window", "filtersize", "pool", "poolsize"),
        ("kernel_size", "pool_size"),
    ),
    **dict.fromkeys(("stride", "s", "step", "subsample"), ("strides",)),
    **dict.fromkeys(("pad", "pads", "bordermode", "paddingmode"), ("padding",)),
    "p": ("rate", "padding"),
    **dict.fromkeys(("prob", "probability", "droprate", "dropout", "dropprob"), ("rate",)),
    **dict.fromkeys(("dilation", "dilations", "atrous", "atrousrate"), ("dilation_rate",)),
    **dict.fromkeys(("bias", "biases", "hasbias", "withbias"), ("use_bias",)),
    **dict.fromkeys(("group", "numgroups", "ngroups", "cardinality"), ("groups",)),
    **dict.fromkeys(("eps", "epsilon"), ("epsilon",)),
    **dict.fromkeys(("alpha", "slope", "leak"), ("negative_slope",)),
    **dict.fromkeys(("scalefactor", "factor"), ("size",)),
    **dict.fromkeys(("stepsize", "milestones", "everynepochs"), ("epochs", "boundaries")),
    **dict.fromkeys(("tmax", "totalsteps", "maxepochs", "numepochs"), ("epochs",)),
    **dict.fromkeys(("heads", "nheads", "numheads"), ("num_heads",)),
    "outputsize": ("output_size",),
    "mode": ("interpolation",),
    "affine": ("scale",),
}
"""Argument in other libraries -> the arguments that it may be; the first that there is."""

RECIPES: dict[str, tuple[str, ...]] = {
    "categorical_crossentropy": ("crossentropy", "crossentropyloss", "softmaxcrossentropy", "nllloss", "ce", "logloss"),
    "sparse_categorical_crossentropy": ("sparsecrossentropy",),
    "binary_crossentropy": ("bce", "bceloss", "bcewithlogitsloss", "bcewithlogits"),
    "mean_squared_error": ("mse", "mseloss", "l2", "l2loss"),
    "mean_absolute_error": ("mae", "maeloss", "l1", "l1loss"),
    "categorical_focal_crossentropy": ("focal", "focalloss"),
    "kl_divergence": ("kldivloss", "kl", "kldiv"),
    "cosine": ("cosineannealinglr", "cosineannealing", "cosinelr"),
    "step": ("steplr", "multisteplr", "multistep", "stepdecay"),
    "plateau": ("reducelronplateau", "reduceonplateau"),
    "exponential_decay": ("exponentiallr", "exponential"),
    "polynomial_decay": ("polynomiallr", "polylr", "poly"),
    "random_flip": ("flip", "hflip", "horizontalflip", "randomhorizontalflip", "mirror"),
    "random_crop": ("crop",),
    "random_erasing": ("erase", "randomerase"),
    "random_shift": ("randomtranslation", "translate", "shift"),
    "resize_smallest_side": ("resize", "resizing"),
    "scale": ("totensor", "rescale", "rescaling"),
    "normalize": ("normalization", "standardize"),
    "rand_augment": ("randaug", "autoaugment"),
    "cutout": ("randomcutout",),
    "ten-crop": ("10crop", "fivecrop"),
    "he_normal": ("kaimingnormal", "kaiming", "msra", "he"),
    "he_uniform": ("kaiminguniform",),
    "glorot_normal": ("xaviernormal",),
    "glorot_uniform": ("xavieruniform", "xavier", "glorot"),
    "lecun_normal": ("lecun",),
    "random_normal": ("normal", "gaussian"),
    "random_uniform": ("uniform",),
}
"""Loss, schedule, transform, protocol or initializer -> its names in other libraries."""

_DERIVED = "leave it out: it follows from the layer before"
_WEIGHTS = "set initial weights in the recipe: `train: {init: {conv: he_normal}}`"
_DECAY = "set the weight decay of all layers in the recipe: `train: {optimizer: {sgd: {weight_decay: 5e-4}}}`"
NEEDLESS: dict[str, str] = {
    **dict.fromkeys(
        ("inchannels", "infeatures", "inputdim", "numfeatures", "inputchannels", "normalizedshape"), _DERIVED
    ),
    "inputshape": "leave it out: the shape of the input is given once, by `input` at the top of the spec",
    **dict.fromkeys(("kernelinitializer", "weightinitializer", "biasinitializer", "initializer", "init"), _WEIGHTS),
    **dict.fromkeys(("kernelregularizer", "biasregularizer", "regularizer", "weightdecay", "l2"), _DECAY),
    "dataformat": "leave it out: channels come last",
    "trainable": "freeze layers in the recipe: `train: {freeze: [conv1/**]}`",
    "dtype": "set the precision in the recipe: `train: {dtype_policy: mixed_bfloat16}`",
    "inplace": "leave it out",
}
"""Argument that no operator takes -> the remedy."""

_BY_OPTION = "it is not part of a spec: give it to `archspec train` as `{}`"
_COUNTED = "leave it out: accuracy is always measured, and AUC, F1 or RMSE where the outputs need them"
KEYS: dict[str, dict[str, str]] = {
    "": {
        **dict.fromkeys(("inputshape", "inputsize", "imagesize", "size", "shape"), "did you mean `input`?"),
        **dict.fromkeys(("parameters", "arguments", "args", "variables", "config"), "did you mean `params`?"),
        **dict.fromkeys(
            ("model", "network", "architecture", "backbone"),
            "write the keys inside it without indentation",
        ),
        **dict.fromkeys(("numclasses", "nclasses", "classes"), "write `params: {classes: 10}` and `dense: $classes`"),
        **dict.fromkeys(("recipe", "training", "optimizer", "epochs", "batchsize"), "write it under `train`"),
        **dict.fromkeys(("evaluation", "eval", "test"), "did you mean `evaluate`?"),
        **dict.fromkeys(("augment", "augmentation", "transforms"), "write `train: {augment: [...]}`"),
        **dict.fromkeys(("modules", "functions", "define"), "did you mean `blocks`?"),
    },
    "train": {
        **dict.fromkeys(("metrics", "metric"), _COUNTED),
        **dict.fromkeys(("validationsplit", "valsplit"), _BY_OPTION.format("--validation-split 0.1")),
        **dict.fromkeys(("data", "dataset", "datadir", "path", "root"), _BY_OPTION.format("--data DATA")),
        **dict.fromkeys(("gpus", "gpu", "device", "devices"), _BY_OPTION.format("--devices N")),
        **dict.fromkeys(("seed", "randomseed"), _BY_OPTION.format("--seed N")),
        **dict.fromkeys(("output", "out", "savedir", "logdir"), _BY_OPTION.format("-o PATH")),
        **dict.fromkeys(("pretrained", "weights", "checkpoint"), _BY_OPTION.format("--init-from FILE")),
        **dict.fromkeys(("callbacks", "verbose", "numworkers", "workers", "shuffle"), "leave it out"),
        **dict.fromkeys(("numepochs", "maxepochs", "epoch", "nepochs"), "did you mean `epochs`?"),
        **dict.fromkeys(("patience", "earlystop"), "write `early_stopping: {patience: 10}`"),
        **dict.fromkeys(("momentum", "nesterov"), "write it in the optimizer: `optimizer: {sgd: {{key}: ...}}`"),
        **dict.fromkeys(("scheduler", "lrschedule", "lrscheduler"), "did you mean `schedule`?"),
        **dict.fromkeys(("augmentation", "transforms", "transform", "augmentations"), "did you mean `augment`?"),
        **dict.fromkeys(("criterion", "lossfunction", "lossfn"), "did you mean `loss`?"),
        **dict.fromkeys(("initializer", "kernelinitializer", "initialization"), "did you mean `init`?"),
    },
    "evaluate": {
        **dict.fromkeys(("crop", "centercrop", "cropsize"), "leave it out: the crop has the size of `input`"),
        **dict.fromkeys(("protocol", "views"), "did you mean `protocols`?"),
        **dict.fromkeys(("size", "imagesize", "scale"), "did you mean `resize`?"),
        **dict.fromkeys(("metrics", "metric"), _COUNTED),
    },
    "expect": {
        **dict.fromkeys(("flops", "gflops", "mflops"), "write `macs`, which are half of the FLOPs"),
        **dict.fromkeys(("multadds", "multiplyadds", "madds"), "did you mean `macs`?"),
        **dict.fromkeys(("parameters", "numparams", "weights"), "did you mean `params`?"),
        **dict.fromkeys(("output", "outputs", "shape"), "did you mean `output_shape`?"),
    },
    "published": {
        **dict.fromkeys(
            ("top1accuracy", "accuracy", "top1", "acc"), "write `top1_error`: 100 minus the accuracy in percent"
        ),
        **dict.fromkeys(("top5accuracy", "top5"), "write `top5_error`: 100 minus the accuracy in percent"),
        **dict.fromkeys(("paper", "url", "reference"), "did you mean `source`?"),
        **dict.fromkeys(("dataset",), "did you mean `data`?"),
    },
}
"""Section, "" for the spec itself -> key that it does not have -> the remedy; `{key}` stands for the key."""
