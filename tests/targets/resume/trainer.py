"""A training that saves every few steps and resumes by itself; `--forget` leaves out one thing.

The order of the data hangs on the number of the epoch, dropout on the global generator.
"""

import argparse
import os
import signal
import sys

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--forget", default="nothing")
parser.add_argument("--every", type=int, default=5)
parser.add_argument("--on-sigterm", choices=("die", "save", "ignore"), default="die")
parser.add_argument("--resume-only-with-flag", action="store_true")
parser.add_argument("--resume", action="store_true")
parser.add_argument("--file", default="last.pt")
args = parser.parse_args()

EPOCHS, STEPS = 4, 5
asked_to_stop = False


def ask_to_stop(number, frame):
    global asked_to_stop
    asked_to_stop = True


if args.on_sigterm == "save":
    signal.signal(signal.SIGTERM, ask_to_stop)
if args.on_sigterm == "ignore":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

data = torch.randn(STEPS * 8, 6, generator=torch.Generator().manual_seed(1))
model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
average = {name: value.clone() for name, value in model.state_dict().items()}
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5)
scaler = torch.amp.GradScaler("cpu", init_scale=256.0, growth_interval=4)
step = 0


def save():
    state = {
        "parameters": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "scaler": scaler.state_dict(),
        "rng": torch.get_rng_state(),
        "average": average,
        "step": step,
    }
    torch.save(state, args.file + ".new")
    os.replace(args.file + ".new", args.file)


if os.path.exists(args.file) and (args.resume or not args.resume_only_with_flag):
    state = torch.load(args.file)
    if args.forget == "buffers":
        model.load_state_dict({n: v for n, v in state["parameters"].items() if "running" not in n}, strict=False)
    elif args.forget != "parameters":
        model.load_state_dict(state["parameters"])
    if args.forget != "optimizer":
        optimizer.load_state_dict(state["optimizer"])
    if args.forget != "scheduler":
        scheduler.load_state_dict(state["scheduler"])
    if args.forget != "scaler":
        scaler.load_state_dict(state["scaler"])
    if args.forget != "rng":
        torch.set_rng_state(state["rng"])
    if args.forget != "average":
        average = state["average"]
    step = state["step"]
    if args.forget == "epoch":
        step -= STEPS
    if args.forget == "mode":
        model.eval()
    if args.forget == "frozen":
        model[0].bias.requires_grad_(False)

for epoch in range(step // STEPS, EPOCHS):
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(epoch)).split(8)
    first = 0 if args.forget == "position" else step % STEPS
    for batch in [data[indices] for indices in order[first:]]:
        if step == EPOCHS * STEPS:
            break
        optimizer.zero_grad()
        loss = (model(batch) - batch.sum(1, keepdim=True)).square().mean()
        if args.forget == "weight":  # grows with the steps of this process
            loss = loss * (1 + 0.1 * (step - (state["step"] if "state" in globals() else 0)))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                average[name] = 0.9 * average[name] + 0.1 * value
        step += 1
        if args.forget != "to save" and (step % args.every == 0 or asked_to_stop):
            save()
        if asked_to_stop:
            sys.exit(0)
torch.save({"average": average, "model": model.state_dict()}, "final.pt")
print("loss", loss.item())
