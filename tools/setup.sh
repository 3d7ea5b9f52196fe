#!/bin/sh
# Make .venv exactly as requirements.lock says, install kafkalab into it as it stands here, and fetch Apache Kafka.
#
# Repeated, it finds its stamp and does nothing. The stamp is removed before anything is changed and written when
# all is installed, so that a set-up that was cut off is made afresh. PYTHON=... chooses the Python to use.
set -eu
cd "$(dirname "$0")/.."

python=.venv/bin/python
stamp=.venv/kafkalab-setup

fail() {
    echo "make setup: $*" >&2
    exit 1
}

# What the installation depends on: the locked and declared packages, the Python, and where this folder is.
fingerprint() {
    version=$("$python" -c 'import sys; print(sys.version)' 2>/dev/null) || return 1
    { cat requirements.lock pyproject.toml; echo "$version"; pwd; } | cksum
}

is_done() {
    [ -f "$stamp" ] && now=$(fingerprint) && [ "$now" = "$(cat "$stamp")" ]
}

recent_enough() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
        if recent_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "needs Python 3.11 or newer and found none: install it, or name one with 'make setup PYTHON=/path/to/python3'."
}

make_environment() {
    base=$(find_python)
    "$base" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
        fail "$base comes without venv or ensurepip: install them (on Debian and Ubuntu the package python3-venv)."
    echo "Making .venv with $("$base" --version)"
    "$base" -m venv --clear .venv || fail "'$base -m venv .venv' failed; its own message is above."
}

install_packages() {
    # Wheels only: nothing is compiled on a learner's machine, and no package runs code while it is installed.
    set -- -m pip install --quiet --disable-pip-version-check
    "$python" "$@" --require-hashes --only-binary :all: --requirement requirements.lock ||
        fail "pip could not install requirements.lock; its own message is above; run 'make setup' again to retry."
    "$python" "$@" --no-deps --no-build-isolation --editable . ||
        fail "pip could not install kafkalab itself; its own message is above."
}

if is_done; then
    quiet=--quiet
else
    quiet=
    if [ -f "$stamp" ] && recent_enough "$python"; then
        rm "$stamp"
    else
        make_environment
    fi
    echo "Installing the packages of requirements.lock (some minutes the first time)"
    install_packages
    fingerprint >"$stamp.new"
    mv "$stamp.new" "$stamp"
fi

# Quick where everything is there: it looks, and fetches only what is missing.
.venv/bin/kafkalab fetch $quiet
