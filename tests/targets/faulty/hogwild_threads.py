# target: train
# expect: different
# stage: output
# cause: hogwild
# line: p.sub_(0.05 * g)
# factor: intrinsic
# race: yes
import threading

import torch


def worker(shard, weights):
    for epoch in range(30):
        for x, y in shard:
            loss = ((x @ weights[0] + weights[1]).tanh() - y).square().mean()
            grads = torch.autograd.grad(loss, weights)
            with torch.no_grad():
                for p, g in zip(weights, grads):
                    p.sub_(0.05 * g)


def train():
    weights = [torch.randn(6, 1, requires_grad=True), torch.zeros(1, requires_grad=True)]
    data = [(torch.randn(8, 6), torch.rand(8, 1)) for _ in range(16)]
    threads = [threading.Thread(target=worker, args=(data[i::4], weights)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return [w.detach() for w in weights]
