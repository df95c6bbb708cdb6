# target: train
# expect: no_verdict
import torch


def train():
    data = torch.randn(100, 4)
    print("mean", data.mean().item())
