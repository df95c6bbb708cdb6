"""A whole training script: a small network on scikit-learn's wine data.

For example: `python wine_mlp.py --epochs 40 --seed 1 --out wine.pt`
"""

import argparse
import random
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where the checkpoint goes")
    return parser.parse_args()


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def load_data():
    features, labels = load_wine(return_X_y=True)
    parts = train_test_split(features, labels, test_size=0.3, random_state=0, stratify=labels)
    train_x, test_x, train_y, test_y = parts
    scaler = StandardScaler().fit(train_x)
    as_features = [torch.tensor(scaler.transform(x), dtype=torch.float32) for x in (train_x, test_x)]
    return *as_features, torch.tensor(train_y), torch.tensor(test_y)


def main():
    options = parse_arguments()
    seed_everything(options.seed)
    train_x, test_x, train_y, test_y = load_data()
    model = nn.Sequential(nn.Linear(train_x.shape[1], 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=options.lr, momentum=0.9)
    for epoch in range(options.epochs):
        model.train()
        for batch in torch.randperm(len(train_x)).split(16):
            loss = nn.functional.cross_entropy(model(train_x[batch]), train_y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
        print(f"epoch {epoch}: loss {loss.item():.6f}, accuracy {accuracy:.4f}")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
