# target: train
# expect: reproducible
# options: --threads 1
# near-miss-of: cpu-index-accumulate
import torch
from torch import nn


class GraphConv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o)

    def forward(self, x, edges):
        src, dst = edges
        out = torch.zeros_like(x).index_add_(0, dst, x[src])
        degree = torch.zeros(len(x)).scatter_add_(0, dst, torch.ones(len(dst))).clamp(min=1)
        return self.lin(x + out / degree.unsqueeze(1))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = GraphConv(8, 16), GraphConv(16, 4)

    def forward(self, x, edges):
        return self.c2(self.c1(x, edges).relu(), edges)


def train():
    x = torch.randn(500, 8)
    edges = torch.randint(0, 500, (2, 6000))
    labels = (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()
    model = Net()
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(3):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x, edges), labels)
        loss.backward()
        opt.step()
    return loss.item()
