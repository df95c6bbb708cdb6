# target: script
# expect: no_verdict
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--train", action="store_true")
if parser.parse_args().train:
    raise NotImplementedError
print("nothing to do")
