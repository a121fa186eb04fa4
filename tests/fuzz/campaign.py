#!/usr/bin/env python3
"""campaign.py PROGRAM TARGET --seconds N

Runs one fuzz target for a bounded time from its seeds and from what earlier campaigns kept beside
the program, and prints what ran. A finding stays in findings/: put it into tests/fuzz/corpus/TARGET
once it is mended, then fuzz_corpus_test looks at it each day.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SEEDS = os.path.join(ROOT, "tests/fuzz/corpus")
# What else the tree has of a form.
MORE_SEEDS = {"configuration": ["tests/golden/config", "etc/pipelines"]}
LONGEST = {"sealed": 4096, "inotify": 4096, "configuration": 4096}
ONE_RUN_SECONDS = 20
MEMORY_MIB = 2048


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=int(os.environ.get("MUSHER_SEEDS", "20")))
    options = parser.parse_args()
    house = os.path.join(os.path.dirname(options.program), "fuzz", options.target)
    kept, findings = os.path.join(house, "corpus"), os.path.join(house, "findings")
    for folder in (kept, findings):
        os.makedirs(folder, exist_ok=True)
    seeds = [os.path.join(SEEDS, options.target)]
    seeds += [os.path.join(ROOT, more) for more in MORE_SEEDS.get(options.target, ())]
    dictionary = os.path.join(ROOT, "tests/fuzz", options.target + ".dict")
    command = [options.program, f"-max_total_time={options.seconds}", "-print_final_stats=1",
               f"-max_len={LONGEST.get(options.target, 2048)}", f"-timeout={ONE_RUN_SECONDS}",
               f"-rss_limit_mb={MEMORY_MIB}", f"-artifact_prefix={findings}/", kept, *seeds]
    if os.path.exists(dictionary):
        command.insert(1, f"-dict={dictionary}")
    environment = dict(os.environ, MUSHER_FUZZ=options.target)
    symbolizer = shutil.which("llvm-symbolizer-19") or shutil.which("llvm-symbolizer")
    if symbolizer:
        environment["ASAN_SYMBOLIZER_PATH"] = os.path.realpath(symbolizer)
    ended = subprocess.run(command, env=environment, cwd=house,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace")
    if ended.returncode != 0:
        print(ended.stdout[-12000:])
        print(f"{options.target}: FOUND something: {findings}")
        return 1
    runs = re.search(r"number_of_executed_units:\s+(\d+)", ended.stdout).group(1)
    peak = re.search(r"peak_rss_mb:\s+(\d+)", ended.stdout).group(1)
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", ended.stdout)[-1]
    print(f"{options.target}: {options.seconds} s, {runs} runs, {covered[0]} edges and "
          f"{covered[1]} features covered by {covered[2]} inputs, peak {peak} MiB, no finding")
    return 0


if __name__ == "__main__":
    sys.exit(main())
