"""The Keras script that Inkling replaces, as a contestant: `keras_mnist.py FOLDER speed IMAGES`, `... until99` or `... recipe`.

`speed` and `until99` train the same network with Adam and no schedule. `speed` trains two epochs without augmentation (which would
cost Keras more) and prints the images/s of the second epoch. `until99` trains without augmentation, with batch 128, until the test
accuracy is 99 %. `recipe` is Keras with the recipe of Inkling's preset fast, so that the rest of the difference is the program's; only
the shifts are left out, which would cost Keras more.
"""
import gzip
import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np

folder, mode = sys.argv[1:3]


def read(name, offset):
    with gzip.open(os.path.join(folder, name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=offset)


start = time.time()
images = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1).astype(np.float32) / 255
labels = read("train-labels-idx1-ubyte.gz", 8)
test = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1).astype(np.float32) / 255, read("t10k-labels-idx1-ubyte.gz", 8)
keras.utils.set_random_seed(1)
layers = keras.layers
dropout = [] if mode == "recipe" else [layers.Dropout(0.3)]
model = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Flatten(), layers.Dense(128, activation="relu"), *dropout, layers.Dense(10, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
if mode == "speed":
    count = int(sys.argv[3]) * 11 // 12  # Inkling holds out one image in twelve
    begun = None
    for epoch in range(2):
        begun = time.time()
        model.fit(images[:count], labels[:count], batch_size=64, epochs=1, verbose=0)
    print(json.dumps({"speed": count / (time.time() - begun)}))
elif mode == "recipe":
    batch, peak = 96, 0.012
    steps = -(-55000 // batch)
    rate = keras.optimizers.schedules.CosineDecay(0.1 * peak, int(0.9 * steps), 0.01, warmup_target=peak, warmup_steps=int(0.1 * steps))
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    model.fit(images[:55000], keras.utils.to_categorical(labels[:55000]), batch_size=batch, epochs=1, verbose=0)
    accuracy = model.evaluate(test[0], keras.utils.to_categorical(test[1]), batch_size=500, verbose=0)[1]
    print(json.dumps({"seconds": time.time() - start, "test": accuracy, "epochs": 1}))
else:
    accuracy = 0.0
    for epoch in range(10):
        model.fit(images[:55000], labels[:55000], batch_size=128, epochs=1, verbose=0)
        accuracy = model.evaluate(*test, batch_size=500, verbose=0)[1]
        if accuracy >= 0.99:
            break
    print(json.dumps({"seconds": time.time() - start, "test": accuracy, "epochs": epoch + 1}))
