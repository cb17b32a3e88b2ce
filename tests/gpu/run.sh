#!/usr/bin/env bash
# All checks on one GPU, in at most eight minutes: bash tests/gpu/run.sh. Prints them and writes results/bench/gpu.json.
cd "$(dirname "$0")/../.." && exec timeout --signal=INT 480 "${PYTHON:-python}" -m tests.gpu "$@"
