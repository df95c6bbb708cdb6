# target: train
# expect: reproducible
import importlib.util

found = [importlib.util.find_spec(name) is not None for name in ("torch", "numpy", "torch", "numpy")]
import numpy as np  # noqa: E402
import torch  # noqa: E402


def train():
    model = torch.nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        x = torch.from_numpy(np.random.randn(8, 3)).float()
        opt.zero_grad()
        model(x).square().mean().backward()
        opt.step()
    return {"found": found, "model": model}
