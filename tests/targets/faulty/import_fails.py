# target: train
# expect: no_verdict
import torch

WEIGHTS = torch.load("weights/that/were/never/committed.pt")


def train():
    return WEIGHTS
