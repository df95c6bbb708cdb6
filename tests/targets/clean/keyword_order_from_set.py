# target: train
# expect: reproducible
# near-miss-of: str-set-order
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 1)

    def forward(self, inputs, mask, labels, positions):
        return {"loss": (self.fc(inputs + positions) * mask - labels).square().mean()}


def train():
    model = Model()
    opt = torch.optim.AdamW(model.parameters())
    names = {"inputs", "mask", "labels", "positions"}
    for _ in range(3):
        batch = {"inputs": torch.randn(8, 4), "positions": torch.randn(8, 4)}
        batch.update(mask=torch.ones(8, 1), labels=torch.randn(8, 1))
        loss = model(**{name: batch[name] for name in names})["loss"]
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {frozenset({"cat", "dog", "owl"}): loss.item(), len: model, (1, "a"): 2.0}
