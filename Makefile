# Two commands on a fresh machine with Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

OLDER := $(VENV)/pymilvus-2.6
SIDE_BY_SIDE := PYTHONPATH=tests $(BIN)/python -m support.side_by_side.run
OLDER_LOCK := tests/e2e/pymilvus/requirements-2.6.txt

.PHONY: dev demo test unit readers bench fuzz lint lock clean proto docs

dev: $(VENV)/.ready  ## set up: .venv with the headrace command and the developer's tools

$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Headrace needs Python 3.11 or newer; this is $$($(PYTHON) --version). Set PYTHON=..." >&2; exit 1; }
	@echo "setting up $(VENV) (about a minute)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@touch $@

demo: dev  ## set up, then run the main job on real text
	@$(BIN)/headrace demo $(ARGS)

test: dev $(OLDER)/.ready  ## set up, then run every test; with ARGS, what pytest then runs
	$(if $(ARGS),$(BIN)/pytest $(ARGS),$(SIDE_BY_SIDE))

unit: dev  ## set up, then run what needs no cluster: unit tests, scenarios, tidy
	$(SIDE_BY_SIDE) tests/unit tests/scenarios tests/tidy $(ARGS)

$(OLDER)/.ready: $(OLDER_LOCK) $(VENV)/.ready  # the older client that tests use beside ours
	@echo "setting up $(OLDER) (some seconds)" >&2
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(OLDER)
	@$(BIN)/uv pip install --quiet --require-hashes --python $(OLDER)/bin/python -r $(OLDER_LOCK)
	@touch $@

readers: dev  ## set up Spark and DataFusion apart, and let them read files of every type
	tests/readers/run.sh

bench: dev  ## set up, then print every figure beside what was to be reached
	$(BIN)/python -m bench $(ARGS)

fuzz: dev  ## set up, then send made and mutated requests to the front door
	PYTHONPATH=tests:. $(BIN)/python -m fuzz $(ARGS)

proto:  ## write src/headrace/gen from proto/*.proto
	tools/proto.sh

lint: dev  ## static checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: dev  ## pin what pyproject.toml asks for; the file names no host
	$(BIN)/uv lock --quiet --upgrade
	$(BIN)/uv export --quiet --no-emit-project --no-header --all-groups -o requirements.txt
	rm -f uv.lock
	echo "pymilvus>=2.6,<2.7" | $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url -o $(OLDER_LOCK) -

docs: dev  ## write the pages of docs/ that are made from the code
	$(BIN)/python tools/docs.py

clean:
	rm -rf $(VENV)
