# target: train
# expect: different
# options: --seeding torch
# stage: data
# step: 0
# cause: third-party-rng
# line: train_test_split(x, y, test_size=0.5)
# factor: intrinsic
# needs: slow
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch import nn


def train():
    x, y = load_iris(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.5)
    x_train, y_train = torch.tensor(x_train).float(), torch.tensor(y_train)
    model = nn.Linear(4, 3)
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(5):
        opt.zero_grad()
        nn.functional.cross_entropy(model(x_train), y_train).backward()
        opt.step()
    return (model(torch.tensor(x_test).float()).argmax(1).numpy() == y_test).mean()
