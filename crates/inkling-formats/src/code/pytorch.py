"""A network that was trained in a browser with Inkling.

    @RECIPE@

Builds it, loads its weights, and scores them on the test set; with `train`, trains it again from the beginning.

    pip install @PACKAGES@
    python inkling_pytorch.py WEIGHTS.safetensors@DATA_FILE@ [train]
"""

import math
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

CLASSES = @CLASSES@
BATCH, EPOCHS, PEAK, WARM_UP, SMOOTHING, CLIP, EMA = @BATCH@, @EPOCHS@, @PEAK@, @WARM_UP@, @SMOOTHING@, @CLIP@, @EMA@
AUGMENT, ROTATION, ZOOM, SHIFT_X, SHIFT_Y = @AUGMENT@, @ROTATION@, @ZOOM@, @SHIFT_X@, @SHIFT_Y@
BALANCE = @BALANCE@
PI = math.pi


def uniform(layer, limit):
    """Weights up to the limit, either way, and no bias."""
    nn.init.uniform_(layer.weight, -limit, limit)
    nn.init.zeros_(layer.bias)
    return layer


class Net(nn.Module):
    """Images [N, @CHANNELS@, H, W] from 0 to 1 to logits [N, CLASSES]."""

    def __init__(self):
        super().__init__()
@FIELDS@

    def forward(self, x):
@FORWARD@
        return x


def load_data():
    """Images [N, C, H, W] from 0 to 1, and labels [N], to train and to test with."""
    @LOAD@
    return [(images.float() / 255, labels.long()) for images, labels in parts]


def augment(images):
    """Each image zoomed, rotated and shifted differently."""

    def within(limit):
        return (2 * torch.rand(len(images)) - 1) * limit

    angle, zoom_x, zoom_y = within(math.radians(ROTATION)), 1 + within(ZOOM), 1 + within(ZOOM)
    x, y = within(2 * SHIFT_X), within(2 * SHIFT_Y)  # in halves of the side
    a, b, c, d = angle.cos() / zoom_x, angle.sin() / zoom_x, -angle.sin() / zoom_y, angle.cos() / zoom_y
    rows = [torch.stack([a, b, -(a * x + b * y)], 1), torch.stack([c, d, -(c * x + d * y)], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), images.shape, align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def rate(step, steps):
    """The learning rate at a step, counted from 0."""
    done, warm_up = step + 0.5, max(steps * WARM_UP, 1.0) if WARM_UP > 0 else 0.0
    return PEAK * (@RISE@ if done < warm_up else @AFTER@)


def train(net, images, labels):
    optimizer = @OPTIMIZER@
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(EMA), use_buffers=True) if EMA > 0 else None
    counts = torch.bincount(labels, minlength=CLASSES).clamp(min=1)
    weights = len(labels) / CLASSES / counts if BALANCE else torch.ones(CLASSES)
    step, steps = 0, -(-len(images) // BATCH) * EPOCHS
    for epoch in range(1, EPOCHS + 1):
        net.train()
        total = 0.0
        for batch in torch.randperm(len(images)).split(BATCH):
            for group in optimizer.param_groups:
                group["lr"] = rate(step, steps)
            x = augment(images[batch]) if AUGMENT else images[batch]
            losses = F.cross_entropy(net(x), labels[batch], label_smoothing=SMOOTHING, reduction="none")
            loss = (losses * weights[labels[batch]]).mean()
            optimizer.zero_grad()
            loss.backward()
            if CLIP > 0:
                nn.utils.clip_grad_norm_(net.parameters(), CLIP)
            optimizer.step()
            if average:
                average.update_parameters(net)
            step, total = step + 1, total + loss.item() * len(batch)
        print(f"epoch {epoch}: training loss {total / len(images):.4f}")
    if average:
        net.load_state_dict(average.module.state_dict())


@torch.no_grad()
def accuracy(net, images, labels):
    net.eval()
    found = torch.cat([net(part).argmax(1) for part in images.split(256)])
    return (found == labels).float().mean().item()


def main():
    to_train_with, to_test_with = load_data()
    net = Net()
    if sys.argv[-1] == "train":
        train(net, *to_train_with)
    else:
        net.load_state_dict(load_file(sys.argv[1]))
    print(f"test accuracy: {100 * accuracy(net, *to_test_with):.2f} %")


if __name__ == "__main__":
    main()
