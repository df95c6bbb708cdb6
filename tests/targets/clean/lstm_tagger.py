# target: train
# expect: reproducible
import torch
import torch.nn.functional as F
from torch import nn


class Tagger(nn.Module):
    def __init__(self, words=50, tags=5):
        super().__init__()
        self.embed = nn.Embedding(words, 12, padding_idx=0)
        self.lstm = nn.LSTM(12, 16, num_layers=2, dropout=0.1, bidirectional=True, batch_first=True)
        self.out = nn.Linear(32, tags)

    def forward(self, tokens, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embed(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        hidden, _ = self.lstm(packed)
        hidden, _ = nn.utils.rnn.pad_packed_sequence(hidden, batch_first=True)
        return self.out(hidden)


def train():
    lengths = torch.tensor([9, 4, 7, 9, 2, 5])
    tokens = torch.randint(1, 50, (6, 9))
    tokens[torch.arange(9)[None, :] >= lengths[:, None]] = 0
    tags = torch.randint(0, 5, (6, 9))
    tags[tokens == 0] = -100
    model = Tagger()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(4):
        opt.zero_grad()
        scores = model(tokens, lengths)
        loss = F.cross_entropy(scores.flatten(0, 1), tags.flatten(), ignore_index=-100)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    return loss.item()
