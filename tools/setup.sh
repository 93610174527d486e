#!/bin/sh
# Make a virtual environment with the first Python >= 3.12 and install the locks. Called by `make setup`.
set -eu
venv=$1
python=
for candidate in python3.14 python3.13 python3.12 python3 /usr/bin/python3 /usr/local/bin/python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
        python=$(command -v "$candidate")
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup: no Python 3.12 or newer was found. Install one (Debian 13: apt-get install python3) and run again." >&2
    exit 2
fi
echo "setup: $("$python" --version) at $python"

# Debian ships python3 without ensurepip; without it a virtual environment has no pip to install the locks with.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing Debian's python3-venv (this Python has no ensurepip)"
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update >/dev/null && apt-get -qq install -y --no-install-recommends python3-venv >/dev/null
    else
        echo "setup: this Python has no ensurepip. Run: sudo apt-get install python3-venv" >&2
        exit 2
    fi
fi

if [ ! -x "$venv/bin/python" ]; then
    echo "setup: making $venv"
    "$python" -m venv "$venv"
fi
pip="$venv/bin/python -m pip --disable-pip-version-check -q"
if [ ! -x "$venv/bin/uv" ]; then
    $pip install uv 2>/dev/null || echo "setup: uv can't be had here, going on with pip (slower)"
fi
echo "setup: installing the locked packages (about 1 GB the first time)"
if [ -x "$venv/bin/uv" ]; then
    "$venv/bin/uv" pip install -q --python "$venv/bin/python" --require-hashes -r requirements.txt -r requirements-dev.txt
else
    $pip install --require-hashes -r requirements.txt -r requirements-dev.txt
fi
# LightGBM's wheel brings no OpenMP of its own.
if ! "$venv/bin/python" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing Debian's libgomp1 (LightGBM needs it)"
        apt-get -qq update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends libgomp1 >/dev/null
    else
        echo "setup: LightGBM needs the OpenMP library. Run: sudo apt-get install libgomp1" >&2
        exit 2
    fi
fi
touch "$venv/.ready"
