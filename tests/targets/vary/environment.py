"""Functions whose result hangs on what nobody promises. None of them needs torch, so that a run takes no time."""

import os
import time


def zone():
    return {"hours": time.timezone / 3600, "constant": 1.0}


def two_of_them():
    private = os.umask(0o022) == 0o077
    return {"number": 2.0 if private and time.timezone else 1.0}


def leftovers():
    name = "left-behind.txt"
    found = os.path.exists(name)
    with open(name, "a") as file:
        file.write("once more\n")
    return {"score": 3.0 if found else 1.0}


def home():
    return sorted(os.listdir(os.path.expanduser("~"))) and 1.0


def path():
    return {"length": float(len(os.getcwd()))}


def nothing():
    return {"score": 1.0}


def pid():
    return {"score": float(os.getpid())}


def variables():
    return {"score": 2.0 if "MKL_CBWR" in os.environ and "ATEN_CPU_CAPABILITY" in os.environ else 1.0}
