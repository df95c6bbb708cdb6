# target: train
# expect: reproducible
import torch
import torch.nn.functional as F
from torch import nn


class Classifier(nn.Module):
    def __init__(self, vocab=60, dim=32):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.position = nn.Parameter(torch.zeros(1, 16, dim))
        layer = nn.TransformerEncoderLayer(dim, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(dim, 2)

    def forward(self, tokens, mask=None):
        x = self.embed(tokens) + self.position
        return self.head(self.encoder(x, src_key_padding_mask=mask)[:, 0])


def train():
    model = Classifier()
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    warmup = torch.optim.lr_scheduler.LambdaLR(opt, lambda step: min(1.0, (step + 1) / 3))
    for step in range(5):
        tokens = torch.randint(0, 60, (8, 16))
        mask = torch.arange(16)[None, :] >= torch.randint(8, 17, (8, 1))
        labels = (tokens.sum(1) % 2).long()
        loss = F.cross_entropy(model(tokens, mask=mask), labels, label_smoothing=0.1)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        warmup.step()
    return model
