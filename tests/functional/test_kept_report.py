"""`reprocheck report` on evidence of a real audit."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from reprocheck.config.checks import DOCUMENT_FORMATS, any_of
from tests.support.cli import reprocheck
from tests.support.pages import check_page

TRAINING = """\
import os
import torch


def train(seed: int = 0):
    torch.manual_seed(seed)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        optimizer.zero_grad()
        loss = model(torch.ones(1, 2)).sum()
        if step == 2 and os.environ["REPROCHECK_RUN"].endswith("r1"):
            loss = loss * 2
        loss.backward()
        optimizer.step()
    return model
"""


def test_a_flaky_gate_from_its_history_into_quarantine_and_out_again(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TRAINING)
    arguments = ("run", "-q", "--no-explain", "--history", "h", "t.py:train")
    day = datetime.date.today()
    ran = reprocheck(*arguments, "--quarantine", f"t.py:train={day}", cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err  # nobody knows it as flaky
    (tmp_path / ".reprocheck").rename(tmp_path / "gone")
    for until, code in ((day, 0), (day - datetime.timedelta(1), 1)):
        ran = reprocheck(*arguments, "--quarantine", f"t.py:train={until}", cwd=tmp_path)
        assert ran.code == code, ran.out + ran.err
        assert ran.out.startswith("DIFFERENT  t.py:train")
    index = reprocheck("report", "--index", "--history", "h", "--format", "json", cwd=tmp_path)
    assert index.code == 0, index.err
    ((rate,),) = (target["rates"] for target in json.loads(index.out)["targets"])
    assert (rate["audits"], rate["differed"], rate["high"]) == (3, 3, 1.0)


def test_a_kept_audit_in_every_format_and_in_the_index(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TRAINING)
    ran = reprocheck("run", "--no-explain", "t.py:train", "-o", "json=r.json", "-o", "html=r.html", cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err
    page = check_page((tmp_path / "r.html").read_text())
    told = [one.get("aria-label", "") or "" for one in page.of("svg")]
    assert any(one.startswith("loss: equal steps 0 to 1; first difference step 2") for one in told)

    for word in ("latest", "r.json"):
        again = reprocheck("report", word, "-o", "html=again.html", "-o", "json=again.json", cwd=tmp_path)
        assert (again.code, again.out) == (0, ran.out), again.err
        assert (tmp_path / "again.html").read_text() == (tmp_path / "r.html").read_text()
        assert (tmp_path / "again.json").read_text() == (tmp_path / "r.json").read_text()

    index = reprocheck("report", "--index", "--format", "json", cwd=tmp_path)
    assert index.code == 0, index.err
    ((entry,),) = (target["audits"] for target in json.loads(index.out)["targets"])
    assert (entry["verdict"], entry["first_difference"]) == ("different", "at step 2 in loss")

    refused = reprocheck("report", "--index", "--format", "sarif", cwd=tmp_path)
    assert (refused.code, refused.out) == (2, "")
    assert f"--format must be {any_of(DOCUMENT_FORMATS)}" in refused.err
    missing = reprocheck("report", "nowhere", cwd=tmp_path)
    assert (missing.code, "there is no audit or file nowhere" in missing.err) == (2, True)
