"""Opens the files that the page saved with the tools that they are meant for, and prints their contents as JSON.

usage: read_exports.py FOLDER      (weights.safetensors, weights.onnx, history.csv, images.f32)
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas
from safetensors.numpy import load_file


def conv(x, weight, bias):
    """Valid convolution, ReLU and max-pool 2x2, as PyTorch's conv2d, relu and max_pool2d compute it."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    y = np.maximum(np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None], 0)
    n, o, h, w = y.shape
    return y[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, o, h // 2, 2, w // 2, 2).max((3, 5))


folder = Path(sys.argv[1])
images = np.fromfile(folder / "images.f32", dtype=np.float32).reshape(-1, 1, 28, 28)
w = load_file(folder / "weights.safetensors")
x = conv(images, w["conv1.weight"], w["conv1.bias"])
x = conv(x, w["conv2.weight"], w["conv2.bias"]).reshape(len(images), -1)
x = np.maximum(x @ w["dense1.weight"].T + w["dense1.bias"], 0)
logits = x @ w["dense2.weight"].T + w["dense2.bias"]

session = onnxruntime.InferenceSession(folder / "weights.onnx")
onnx = session.run(["logits"], {"image": images})[0]
history = pandas.read_csv(folder / "history.csv")
print(json.dumps({
    "shapes": {name: list(tensor.shape) for name, tensor in w.items()},
    "safetensors": logits.tolist(),
    "onnx": onnx.tolist(),
    "history": history.astype(object).where(history.notna(), None).to_dict("records"),
}))
