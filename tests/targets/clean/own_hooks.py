# target: train
# expect: reproducible
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook


def halve_grad(param):
    param.grad.mul_(0.5)


def train():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    activations, norms, calls = {}, [], []
    model[1].register_forward_hook(lambda m, i, o: activations.__setitem__("relu", o.detach().mean()))
    model[0].register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    model.register_full_backward_hook(lambda m, gi, go: norms.append(go[0].norm().item()))
    model[2].weight.register_hook(lambda g: g.clamp(-0.1, 0.1))
    model[2].bias.register_post_accumulate_grad_hook(halve_grad)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    opt.register_step_pre_hook(lambda o, args, kwargs: calls.append("pre"))
    opt.register_step_post_hook(lambda o, args, kwargs: calls.append("post"))
    handle = register_optimizer_step_post_hook(lambda o, args, kwargs: calls.append("global"))
    for _ in range(3):
        opt.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(10, 8)), torch.randint(0, 2, (10,))).backward()
        opt.step()
    handle.remove()
    return {"calls": calls, "norms": norms, "activations": activations, "model": model}
