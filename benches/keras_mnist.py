"""The Keras script that Inkling replaces, as a contestant: `keras_mnist.py FOLDER speed IMAGES` or `... until99`.

It trains the same network with Adam and no schedule. `speed` trains two epochs without augmentation (which would cost Keras more)
and prints the images/s of the second epoch. `until99` trains without augmentation, with batch 128, until the test accuracy is
99 %.
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
model = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.3), layers.Dense(10, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
if mode == "speed":
    count = int(sys.argv[3]) * 11 // 12  # Inkling holds out one image in twelve
    begun = None
    for epoch in range(2):
        begun = time.time()
        model.fit(images[:count], labels[:count], batch_size=64, epochs=1, verbose=0)
    print(json.dumps({"speed": count / (time.time() - begun)}))
else:
    accuracy = 0.0
    for epoch in range(10):
        model.fit(images[:55000], labels[:55000], batch_size=128, epochs=1, verbose=0)
        accuracy = model.evaluate(*test, batch_size=500, verbose=0)[1]
        if accuracy >= 0.99:
            break
    print(json.dumps({"seconds": time.time() - start, "test": accuracy, "epochs": epoch + 1}))
