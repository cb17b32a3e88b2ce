#!/bin/bash
# A suite on the nodes of a Slurm job: `sbatch suites/cluster/slurm.sh emoji`, a suite file or a shipped name.
# Ray's symmetric-run starts Ray on every node, waits for all, runs the command on the first, and ends it (Ray 2.52 or later, for
# the token).
#SBATCH --job-name=kdbench
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=12:00:00
#SBATCH --requeue               # after a preemption the same command resumes from records and checkpoints
##SBATCH --gpus-per-node=4      # with GPUs: remove one #; a run then reserves one unless --resources says otherwise

set -euo pipefail

suite=${1:-emoji}

# Folders that all nodes share under the same path, with file locks: NFSv4 has them; Lustre if mounted with -o flock.
shared=${KDBENCH_SHARED:-$SLURM_SUBMIT_DIR}
export KDBENCH_CACHE=$shared/cache

# The environment too: one on the shared file system, made with `pip install 'kdbench[quickstart,ray]'`.
source "${KDBENCH_VENV:-$shared/.venv}/bin/activate"
export RAY_USAGE_STATS_ENABLED=0
# Only this user may submit tasks to this cluster: Ray's token is in the home folder, which nodes share.
export RAY_AUTH_MODE=token
ray get-auth-token --generate > /dev/null

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)  # not `head`: its early exit would be an error here
port=$((20000 + SLURM_JOB_ID % 20000))  # two jobs on one node must not share a port

srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" \
  ray symmetric-run --address "$head:$port" --min-nodes "$SLURM_JOB_NUM_NODES" --num-cpus "$SLURM_CPUS_PER_TASK" \
  --include-dashboard=false --object-store-memory=100000000 -- \
  kdbench run "$suite" --engine ray --address "$head:$port" --results "$shared/results" --no-profile
