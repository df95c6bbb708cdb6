# target: train
# expect: different
# stage: data
# step: 0
# cause: env-rng
# line: self.rng = np.random.default_rng(seed)
# factor: intrinsic
import numpy as np
import torch
from torch import nn


class PointMass:
    def reset(self, seed=None):
        if seed is not None or not hasattr(self, "rng"):
            self.rng = np.random.default_rng(seed)
        self.state = self.rng.uniform(-1, 1, size=4)
        return self.state.astype(np.float32)

    def step(self, action):
        self.state = 0.95 * self.state
        self.state[:2] += 0.1 * action
        reward = -float(np.square(self.state).sum())
        return self.state.astype(np.float32), reward


def train():
    torch.manual_seed(0)
    np.random.seed(0)
    env = PointMass()
    policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
    opt = torch.optim.Adam(policy.parameters(), lr=0.01)
    rewards = []
    for _ in range(4):
        obs, log_probs, total = env.reset(), [], 0.0
        for _ in range(5):
            dist = torch.distributions.Normal(policy(torch.from_numpy(obs)), 0.3)
            action = dist.sample()
            log_probs.append(dist.log_prob(action).sum())
            obs, reward = env.step(action.numpy())
            total += reward
        opt.zero_grad()
        (-total * torch.stack(log_probs).sum()).backward()
        opt.step()
        rewards.append(total)
    return rewards
