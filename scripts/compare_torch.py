# Training steps of `lyra bench --train` and the same steps in PyTorch (torch_step.py), in turns, by as many threads; prints medians.
#
#   LYRA_PYTHON=venv/bin/python python3 scripts/compare_torch.py [--preset nano] [--rounds 3] [--steps 3]
import argparse
import json
import os
import statistics
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
arguments = argparse.ArgumentParser()
arguments.add_argument("--preset", help="default: nano, nano at hidden size 512, and mini")
arguments.add_argument("--precision", default="bf16")
arguments.add_argument("--rounds", type=int, default=3)
arguments.add_argument("--steps", type=int, default=3)
arguments.add_argument("--lyra", default=os.path.join(here, "..", ".build", "release", "lyra"))
options = arguments.parse_args()
python = os.environ.get("LYRA_PYTHON") or sys.exit("LYRA_PYTHON must name a Python that has torch")

bench = [options.lyra, "bench", "--train", "--repeat", str(options.steps), "--precision", options.precision]
if options.preset:
    bench += ["--preset", options.preset]
seconds = {}
for _ in range(options.rounds):
    line = subprocess.run(bench, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    report = json.loads(line)
    for layers, flag in (("kept", []), ("recomputed", ["--checkpointing"])):
        step = [python, os.path.join(here, "torch_step.py"), "--steps", str(options.steps), "--threads", str(report["threads"])]
        torch = json.loads(subprocess.run(step + flag, input=line, check=True, capture_output=True, text=True).stdout)
        for name, case in report["train"].items():
            pair = seconds.setdefault((name, layers), ([], []))
            pair[0].append(case[layers]["seconds"])
            pair[1].append(torch[name])

print(f"{'size':12} {'layers':12} {'lyra':>8} {'PyTorch':>8}   PyTorch takes")
for (name, layers), pair in seconds.items():
    ours, theirs = map(statistics.median, pair)
    ratios = [b / a for a, b in zip(*pair)]
    print(f"{name:12} {layers:12} {ours:7.2f}s {theirs:7.2f}s   {statistics.median(ratios):.2f} times as long ({min(ratios):.2f} to {max(ratios):.2f})")
