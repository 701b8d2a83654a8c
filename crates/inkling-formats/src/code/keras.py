"""A network that was trained in a browser with Inkling.

    @RECIPE@

Builds it, loads its weights, and scores them on the test set; with `train`, trains it again from the beginning.

    pip install keras jax safetensors
    python inkling_keras.py WEIGHTS.safetensors@DATA_FILE@ [train]

Keras 3 runs on JAX here; KERAS_BACKEND=tensorflow or torch chooses another backend.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras
import numpy as np
from keras import layers
from safetensors.numpy import load_file

SHAPE, CLASSES = @SHAPE@, @CLASSES@
BATCH, EPOCHS, PEAK, WARM_UP, SMOOTHING = @BATCH@, @EPOCHS@, @PEAK@, @WARM_UP@, @SMOOTHING@
BALANCE = @BALANCE@@L2@
PI = np.pi


def uniform(limit):
    return keras.initializers.RandomUniform(-limit, limit)


def build():
    image = x = keras.Input(SHAPE)
@BUILD@
    return keras.Model(image, x)


def load_weights(model, path):
    """The file has PyTorch's names and shapes."""
    tensors = load_file(path)
    names = {layer.name: layer for layer in model.layers}
    for layer in sorted({name.split(".")[0] for name in tensors}):
        weight, bias = tensors[f"{layer}.weight"], tensors[f"{layer}.bias"]
        if weight.ndim == 4:
            values = [weight.transpose(2, 3, 1, 0), bias]
        elif weight.ndim == 2:
            values = [weight.T, bias]
        else:
            values = [weight, bias, tensors[f"{layer}.running_mean"], tensors[f"{layer}.running_var"]]
        names[layer].set_weights(values)


def load_data():
    """Images [N, H, W, C] from 0 to 1, and labels [N], to train and to test with."""
    @LOAD@
    return [(images.astype("float32") / 255, labels.astype("int32")) for images, labels in parts]


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, steps):
        self.steps = steps

    def __call__(self, step):
        steps, done = float(self.steps), keras.ops.cast(step, "float32") + 0.5
        warm_up = max(steps * WARM_UP, 1.0) if WARM_UP > 0 else 0.0
        rise = @RISE@ if warm_up > 0 else 1.0
        return PEAK * keras.ops.where(done < warm_up, rise, @AFTER@)

    def get_config(self):
        return {"steps": self.steps}


def train(model, images, labels):
    rate = Rate(-(-len(images) // BATCH) * EPOCHS)
    image = keras.Input(SHAPE)
    x = image
    for layer in @AUGMENT@:
        x = layer(x)
    trained = keras.Model(image, model(x))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=SMOOTHING)
    trained.compile(@OPTIMIZER@, loss, metrics=["accuracy"])
    counts = np.bincount(labels, minlength=CLASSES)
    weights = {label: len(labels) / CLASSES / max(count, 1) for label, count in enumerate(counts)}
    trained.fit(images, keras.utils.to_categorical(labels, CLASSES), BATCH, EPOCHS, class_weight=weights if BALANCE else None, verbose=2)


def accuracy(model, images, labels):
    return float((model.predict(images, 256, verbose=0).argmax(1) == labels).mean())


def main():
    to_train_with, to_test_with = load_data()
    model = build()
    if sys.argv[-1] == "train":
        train(model, *to_train_with)
    else:
        load_weights(model, sys.argv[1])
    print(f"test accuracy: {100 * accuracy(model, *to_test_with):.2f} %")


if __name__ == "__main__":
    main()
