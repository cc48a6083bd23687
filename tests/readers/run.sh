#!/bin/sh
# `make readers`: an environment of its own under build/ with Spark, its Java and DataFusion, then
# check.py. PYTHON is an interpreter that has headrace and its tests; READERS_ENV an environment.
set -eu
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
READERS_ENV=${READERS_ENV:-build/readers}

if [ ! -f "$READERS_ENV/.ready" ]; then
    echo "setting up $READERS_ENV (Spark, Java, DataFusion; 0.9 GB, about a minute)" >&2
    "$PYTHON" -m venv --clear "$READERS_ENV"
    "$READERS_ENV/bin/python" -m pip install --quiet --disable-pip-version-check \
        -r tests/readers/requirements.txt >&2
    touch "$READERS_ENV/.ready"
fi
PYTHONPATH=src:tests "$PYTHON" tests/readers/check.py "$READERS_ENV/bin/python"
