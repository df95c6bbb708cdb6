# target: train
# expect: reproducible
# needs: slow
# near-miss-of: third-party-rng
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def train():
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16, y, test_size=0.5, random_state=0)
    data = TensorDataset(torch.tensor(x_train[:256]).float(), torch.tensor(y_train[:256]))
    loader = DataLoader(data, batch_size=32, shuffle=True, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for xb, yb in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(model(xb), yb).backward()
        opt.step()
    with torch.no_grad():
        predicted = model(torch.tensor(x_test).float()).argmax(1).numpy()
    return {"accuracy": (predicted == y_test).mean(), "predicted": predicted}
