# target: train
# expect: reproducible
# near-miss-of: env-rng
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical


class Corridor:
    def __init__(self, length=6):
        self.length = length

    def reset(self, seed=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.pos = int(self.rng.integers(self.length))
        return self.observe()

    def observe(self):
        state = np.zeros(self.length, dtype=np.float32)
        state[self.pos] = 1.0
        return torch.from_numpy(state)

    def step(self, action):
        if self.rng.random() < 0.1:
            action = 1 - action
        self.pos = max(0, min(self.length - 1, self.pos + (1 if action else -1)))
        done = self.pos == self.length - 1
        return self.observe(), float(done), done


def train():
    env, policy = Corridor(), nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
    opt = torch.optim.Adam(policy.parameters(), lr=0.02)
    env.reset(seed=torch.initial_seed() % 2**32)
    returns = []
    for _ in range(5):
        state, log_probs, total, done = env.reset(), [], 0.0, False
        for _ in range(12):
            dist = Categorical(logits=policy(state))
            action = dist.sample()
            log_probs.append(dist.log_prob(action))
            state, reward, done = env.step(action.item())
            total += reward - 0.05
            if done:
                break
        opt.zero_grad()
        (-torch.stack(log_probs).sum() * total).backward()
        opt.step()
        returns.append(total)
    return returns
