"""Prints the logits of an ONNX file for one image, as ONNX Runtime computes them.

usage: run_onnx.py WEIGHTS.onnx IMAGE.f32      (784 values from 0 to 1)
"""

import json
import sys

import numpy as np
import onnxruntime

image = np.fromfile(sys.argv[2], dtype=np.float32).reshape(1, 1, 28, 28)
logits = onnxruntime.InferenceSession(sys.argv[1]).run(["logits"], {"image": image})[0]
print(json.dumps(logits[0].tolist()))
