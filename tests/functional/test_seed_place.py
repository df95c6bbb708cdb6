"""A seed that is None only at run time is put down to the line that could have given it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reprocheck.model.explanation import SeedPlace
from tests.support.probed import entries_of

LIBRARY = """\
import random
import numpy as np

class Noise:
    def __init__(self, size=1, seed=None):
        self.rng = np.random.default_rng(seed)
        self.rng.random()  # one that nobody draws from is no finding

class Child(Noise):
    def __init__(self, size, **options):
        super().__init__(size, **options)

class Lazy:
    def __init__(self, size, seed=None):
        self.size = size
        self.seed = seed

    def fit(self):
        return np.random.RandomState(self.seed).rand()

def deep(*args, seed=None):
    return make(seed)

def make(seed=None):
    return random.Random(seed)

def seed_all(seed=None):
    np.random.seed(seed)
"""

TRAIN = """\
import argparse, functools
from dataclasses import dataclass
import numpy as np
import pipeline
from pipeline import Noise, Child, Lazy, deep, make, seed_all
from installed import Agent, Fitted, Plain, Shuffler, shuffled

@dataclass
class Config:
    size: int = 3
    random_seed: int | None = None

def build(size, seed=None):
    return Noise(size, seed=seed)  # passes it on

def train(seed=0):
    Noise(1)  # plain
    build(3)  # through
    Noise(1, None)  # literal
    Child(2)  # keywords
    deep(1, 2)  # twice
    functools.partial(Noise, size=2)()  # partial
    cfg = Config()
    np.random.default_rng(cfg.random_seed).random()  # config
    parser = argparse.ArgumentParser()
    parser.add_argument("--my-seed", type=int)  # option
    args = parser.parse_args([])
    np.random.default_rng(args.my_seed).random()  # parsed
    options = {"size": 3, "seed": None}  # mapping
    Noise(**options)
    value = None  # bound
    make(value)  # use
    [Noise(k) for k in range(2)]  # comprehension
    Shuffler(3)  # installed
    shuffled([1, 2])  # function
    found = Fitted(2)  # fitted
    found.fit()
    policy = Agent(2)  # agent
    policy.learn()
    Plain(2)
    np.random.rand(2)
    seed_all()  # reseed
    settings = {"rng": {"seed": None}}
    np.random.default_rng(settings["rng"]["seed"]).random()  # nested
    return 0.0
"""

INSTALLED = """\
import functools
import numpy as np

def validated(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)
    return inner

class Shuffler:
    def __init__(self, n, random_state=None):
        self.rng = np.random.RandomState(random_state)
        self.rng.rand()

@validated
def shuffled(items, random_state=None):
    return check(random_state)

def check(seed):
    return np.random.default_rng(seed).random()

class Agent:
    def __init__(self, n, seed=None):
        self.seed = seed
        if seed is not None:
            np.random.seed(seed)
        self.build()

    def build(self):
        self.weight = np.random.rand(2)

    def learn(self):
        np.random.shuffle(self.weight)

class Plain:
    def __init__(self, n):
        self.weight = np.random.rand(n)

class Fitted:
    def __init__(self, n, random_state=None):
        self.random_state = random_state

    def fit(self):
        return check(self.random_state)
"""

EXPECTED = {
    "plain": ("Noise(1)", "Noise(1, seed=seed)"),
    "through": ("build(3)", "build(3, seed=seed)"),
    "literal": ("Noise(1, None)", "Noise(1, seed)"),
    "keywords": ("Child(2)", "Child(2, seed=seed)"),
    "twice": ("deep(1, 2)", "deep(1, 2, seed=seed)"),
    "partial": ("functools.partial(", "functools.partial(Noise, size=2)(seed=seed)"),
    "config": ("np.random.default_rng(cfg", "random_seed: int | None = 0"),
    "parsed": ("np.random.default_rng(args", 'parser.add_argument("--my-seed", type=int, default=0)'),
    "mapping": ("options =", 'options = {"size": 3, "seed": seed}'),
    "bound": ("make(value)", "value = seed"),
    "comprehension": ("[Noise(k)", "[Noise(k, seed=seed) for k in range(2)]"),
    "installed": ("Shuffler(3)", "Shuffler(3, random_state=seed)"),
    "function": ("shuffled(", "shuffled([1, 2], random_state=seed)"),
    "agent": ("policy = Agent(2)", "policy = Agent(2, seed=seed)"),
    "fitted": ("found = Fitted(2)", "found = Fitted(2, random_state=seed)"),
    "reseed": ("seed_all()", "seed_all(seed=seed)"),
    "nested": (  # two lines could be meant
        "np.random.default_rng(settings",
        'np.random.default_rng(seed if settings["rng"]["seed"] is None else settings["rng"]["seed"]).random()',
    ),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> list[SeedPlace]:
    folder = tmp_path_factory.mktemp("seed_place")
    (folder / "pipeline.py").write_text(LIBRARY)
    (folder / "site-packages").mkdir()
    (folder / "site-packages" / "installed.py").write_text(INSTALLED)
    entries = entries_of(folder, "import sys; sys.path.insert(0, 'site-packages')\n" + TRAIN)
    return [entry.seed_place for entry in entries if entry.seed_place is not None]


@pytest.mark.parametrize("name", EXPECTED)
def test_place(places: list[SeedPlace], name: str) -> None:
    start, after = EXPECTED[name]
    found = list({place.edit: place for place in places if place.code.startswith(start)}.values())
    assert len(found) == 1, [place.code for place in places]
    edit = found[0].edit
    assert edit is not None
    assert edit.after.split("#")[0].strip() == after
    assert Path(edit.path).name == "target.py"


def test_what_takes_no_seed_has_no_place(places: list[SeedPlace]) -> None:
    assert not [place for place in places if place.code.startswith(("Plain", "np.random.rand"))]
