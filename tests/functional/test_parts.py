"""Named parts of a run: by hand, and by the callbacks for trainers. They name where runs begin to differ."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.cli import reprocheck

BY_HAND = """\
import os
import torch
import reprocheck

def train(seed):
    torch.manual_seed(seed)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    noise = 0.1 if os.environ["REPROCHECK_RUN"].endswith("r1") else 0.0
    for epoch in range(3):
        reprocheck.part(f"epoch {epoch}")
        for step in range(4):
            optimizer.zero_grad()
            x = torch.ones(4, 2) + (noise if epoch == 1 and step == 2 else 0.0)
            model(x).pow(2).mean().backward()
            optimizer.step()
        reprocheck.part(f"epoch {epoch}, validation")
        with torch.no_grad():
            model(torch.ones(1, 2))
    return model
"""

LIGHTNING = """\
import os
import lightning
import torch
import reprocheck

NOISE = 0.1 if os.environ["REPROCHECK_RUN"].endswith("r1") else 0.0

class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def training_step(self, batch, index):
        x = batch + (NOISE if self.current_epoch == 1 else 0.0)
        return self.layer(x).pow(2).mean()
    def validation_step(self, batch, index):
        self.log("val", self.layer(batch).pow(2).mean())
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

def train(seed):
    torch.manual_seed(seed)
    data = torch.utils.data.DataLoader(torch.ones(8, 2), batch_size=4)
    trainer = lightning.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[reprocheck.lightning_callback()],
    )
    model = Model()
    trainer.fit(model, data, data)
    return model
"""

TRANSFORMERS = """\
import os
import torch
import transformers
import reprocheck

NOISE = 0.1 if os.environ["REPROCHECK_RUN"].endswith("r1") else 0.0

class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, index):
        return {"x": torch.ones(2), "labels": torch.zeros(1)}

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.calls = 0
    def forward(self, x, labels=None):
        self.calls += self.training
        out = self.layer(x + (NOISE if self.training and self.calls == 3 else 0.0))
        return {"loss": out.pow(2).mean(), "logits": out}

def train(seed):
    arguments = transformers.TrainingArguments(
        "out", num_train_epochs=3, per_device_train_batch_size=4, save_strategy="no", eval_strategy="epoch",
        report_to=[], disable_tqdm=True, use_cpu=True, seed=seed,
    )
    transformers.set_seed(seed)
    trainer = transformers.Trainer(
        Model(), arguments, train_dataset=Data(), eval_dataset=Data(), callbacks=[reprocheck.transformers_callback()]
    )
    trainer.train()
    return trainer.model
"""


def _part(source: str, folder: Path) -> str:
    (folder / "train.py").write_text(source)
    ran = reprocheck("run", "train.py:train", "--no-explain", "--format", "json", cwd=folder)
    assert ran.code == 1, ran.out + ran.err
    part = ran.json()["divergence"]["part"]
    assert isinstance(part, str)
    return part


def test_the_part_of_a_difference_is_named(tmp_path: Path) -> None:
    assert _part(BY_HAND, tmp_path) == "epoch 1"
    shown = reprocheck("report", "latest", cwd=tmp_path)
    assert "differ first in epoch 1, at step 6 in batch" in shown.out


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lightning") is None, reason="Lightning is not installed")
def test_lightning_names_its_epochs(tmp_path: Path) -> None:
    assert _part(LIGHTNING, tmp_path) == "epoch 1"


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("transformers") is None or find_spec("accelerate") is None, reason="transformers is not installed"
)
def test_transformers_names_its_epochs(tmp_path: Path) -> None:
    assert _part(TRANSFORMERS, tmp_path) == "epoch 1"
