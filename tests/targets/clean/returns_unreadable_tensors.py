# target: train
# expect: reproducible

import torch


class Broken(torch.Tensor):
    """A tensor that refuses everything."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        raise RuntimeError("ask somebody else")


def train(seed=0):
    torch.manual_seed(seed)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
    ragged = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    return {"weight": model.weight, "ragged": ragged, "\udcff": 1, "broken": torch.ones(2).as_subclass(Broken)}
