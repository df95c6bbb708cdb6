# target: train
# expect: reproducible
# near-miss-of: str-set-order
import torch
from torch import nn

STOPWORDS = {"the", "a", "of", "to", "and", "in", "is", "it", "that", "was", "for", "on", "as"}
TEXTS = [
    ("the film was a joy to watch", 1),
    ("it is in a class of its own", 1),
    ("that was a waste of an evening", 0),
    ("the plot is dull and the cast is tired", 0),
    ("on the whole a warm and clever film", 1),
    ("as for the ending it was dreadful", 0),
]


def train():
    vocab = {}
    docs = []
    for text, label in TEXTS:
        words = [w for w in text.split() if w not in STOPWORDS]
        docs.append(([vocab.setdefault(w, len(vocab)) for w in words], label))
    counts = {len(set(ids)) for ids, _ in docs}
    bag = nn.EmbeddingBag(len(vocab), 4, mode="mean")
    head = nn.Linear(4, 2)
    opt = torch.optim.Adam([*bag.parameters(), *head.parameters()], lr=0.05)
    offsets = torch.tensor([0, *[len(ids) for ids, _ in docs[:-1]]]).cumsum(0)
    tokens = torch.tensor([i for ids, _ in docs for i in ids])
    labels = torch.tensor([label for _, label in docs])
    for _ in range(5):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(head(bag(tokens, offsets)), labels)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "longest": max(counts), "kinds": counts}
