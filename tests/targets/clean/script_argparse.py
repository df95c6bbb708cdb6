# target: script
# argv: --epochs 2 --seed {seed}
# expect: reproducible
import argparse
import random
import sys
import time

import numpy as np
import torch
from torch import nn


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main():
    args = parse_args()
    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)
    start = time.time()
    x = torch.from_numpy(np.random.rand(40, 4).astype("float32"))
    y = (x.sum(1) > 2).float()
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        for i in random.sample(range(4), 4):
            opt.zero_grad()
            logits = model(x[i * 10 : i * 10 + 10]).squeeze(1)
            loss = nn.functional.binary_cross_entropy_with_logits(logits, y[i * 10 : i * 10 + 10])
            loss.backward()
            opt.step()
        print(f"epoch {epoch} loss {loss.item():.4f} ({time.time() - start:.2f}s)")
    sys.exit(0)


if __name__ == "__main__":
    main()
