#!/bin/sh
# Install the published clients that tests/clients drives: .venv-clients for Python, node_modules for Node. Called by
# `make clients`; a second run takes a moment. What can't be had here is named and left out: its tests skip, and fail in CI.
set -eu
venv=.venv-clients
folder=tests/clients
lock=$folder/requirements.txt

stamp() {  # what was installed, and with what: a change of either installs again
    printf '%s\n' "$1"
    cksum <"$2"
}

wanted=$(stamp "$(.venv/bin/python --version)" $lock)
if [ "$(cat $venv/.ready 2>/dev/null || true)" != "$wanted" ]; then
    echo "clients: installing the Python clients into $venv"
    rm -rf $venv
    if [ -x .venv/bin/uv ]; then
        install() { .venv/bin/uv venv -q --python .venv/bin/python $venv && .venv/bin/uv pip install -q --python $venv/bin/python --require-hashes -r $lock; }
    else
        install() { .venv/bin/python -m venv $venv && $venv/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r $lock; }
    fi
    if install; then
        printf '%s\n' "$wanted" >$venv/.ready
    else
        echo "clients: the Python clients can't be had here" >&2
        rm -rf $venv
    fi
fi

# Beside the site's own packages, for the tests of tracing: a folder for PYTHONPATH.
otel=$venv/otel
if [ -f requirements-otel.txt ] && [ ! -d $otel ] && [ -x .venv/bin/uv ]; then
    echo "clients: installing OpenTelemetry into $otel"
    .venv/bin/uv pip install -q --python .venv/bin/python --target $otel --no-deps --require-hashes -r requirements-otel.txt || rm -rf $otel
fi

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "clients: no Node here, its clients are left out" >&2
    exit 0
fi
wanted=$(stamp "$(node --version)" $folder/package-lock.json)
if [ "$(cat $folder/node_modules/.ready 2>/dev/null || true)" != "$wanted" ]; then
    echo "clients: installing the Node clients into $folder/node_modules"
    if (cd $folder && npm ci --silent --no-audit --no-fund --ignore-scripts); then
        printf '%s\n' "$wanted" >$folder/node_modules/.ready
    else
        echo "clients: the Node clients can't be had here" >&2
        rm -rf $folder/node_modules
    fi
fi
