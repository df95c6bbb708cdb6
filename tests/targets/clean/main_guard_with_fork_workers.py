# target: script
# expect: reproducible
import multiprocessing as mp

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Squares(Dataset):
    def __len__(self):
        return 24

    def __getitem__(self, i):
        return torch.tensor([i / 24, (i / 24) ** 2]), torch.tensor([i % 3 / 3])


def square(i):
    return i * i


if __name__ == "__main__":
    with mp.Pool(2) as pool:
        weights = torch.tensor(pool.map(square, range(8)), dtype=torch.float32)
    net = nn.Linear(2, 1)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for n, (x, y) in enumerate(DataLoader(Squares(), batch_size=6, shuffle=True, num_workers=2)):
        opt.zero_grad()
        (weights[n] * nn.functional.mse_loss(net(x), y)).backward()
        opt.step()
    print("done", net.weight.tolist())
