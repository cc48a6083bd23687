#!/bin/sh
# `make proto`: writes src/headrace/gen from proto/*.proto.
#
# The compiler has environments of its own under build/: grpcio-tools 1.67.1, whose output runs with
# every protobuf from 5.27 on (a newer compiler's is refused by older runtimes), and mypy-protobuf,
# which needs a newer protobuf than that. PROTOC_ENV and STUBS_ENV name environments that exist.
set -eu
cd "$(dirname "$0")/.."
PROTOC_ENV=${PROTOC_ENV:-build/protoc}
STUBS_ENV=${STUBS_ENV:-build/mypy-protobuf}

if [ ! -x "$PROTOC_ENV/bin/python" ]; then
    python3 -m venv "$PROTOC_ENV"
    "$PROTOC_ENV/bin/python" -m pip install --quiet grpcio-tools==1.67.1 'setuptools<81'
fi
if [ ! -x "$STUBS_ENV/bin/protoc-gen-mypy" ]; then
    python3 -m venv "$STUBS_ENV"
    "$STUBS_ENV/bin/python" -m pip install --quiet mypy-protobuf==5.1.0
fi

compile() {
    "$PROTOC_ENV/bin/python" -m grpc_tools.protoc -Iheadrace/gen=proto \
        --plugin=protoc-gen-mypy="$STUBS_ENV/bin/protoc-gen-mypy" \
        --python_out=src --mypy_out=src "headrace/gen/$1.proto"
}

for file in proto/*.proto; do
    compile "$(basename "$file" .proto)"
done
