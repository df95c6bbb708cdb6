# target: train
# expect: reproducible
import torch
from torch import nn


def train():
    model = nn.Linear(6, 6).to(torch.bfloat16)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(5, 6, dtype=torch.bfloat16)
    for _ in range(3):
        opt.zero_grad()
        model(x).float().square().mean().backward()
        opt.step()
    out = model(x).detach()
    return {
        "bf16": out,
        "half": out.half(),
        "float8": out.float().to(torch.float8_e4m3fn),
        "complex": torch.fft.fft(out.float()),
        "conjugated": torch.fft.fft(out.float()).conj(),
        "bool": out > 0,
        "nan": torch.tensor([float("nan"), -0.0, float("inf")]),
        "nan_float": float("nan"),
        "complex_number": complex(1, -0.0),
        "sparse": torch.relu(out.float()).to_sparse(),
        "csr": torch.relu(out.float()).to_sparse_csr(),
        "quantized": torch.quantize_per_tensor(out.float(), 0.05, 3, torch.qint8),
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(2, dtype=torch.uint8),
        "strided": out[:, ::2].t(),
        "expanded": out[:1].expand(4, -1),
        "shared": [out, out],
    }
