"""What lies beside a plan, for who starts its runs: a Slurm array, a Kubernetes job, a page to read."""

from __future__ import annotations

from reprocheck.model.plan import Plan
from reprocheck.report.wording import count

_SLURM = """\
#!/bin/bash
#SBATCH --job-name=reprocheck
#SBATCH --array=0-{last}
#SBATCH --output=slurm-%a.txt
# Submit it in the folder of the plan:  cd DIR && sbatch slurm.sh
# Add what your cluster needs (--partition, --gres, --time), and --constraint to stay on one kind of node.
cd "${{SLURM_SUBMIT_DIR:-.}}" || exit 2
exec reprocheck worker "run-$SLURM_ARRAY_TASK_ID"
"""

_LOCAL = """\
#!/bin/bash
# All runs here, one after the other; what has been started already is left as it is.
cd "$(dirname "$0")" || exit 2
for run in run-*; do
    [ -e "$run/started.json" ] || reprocheck worker "$run"
done
reprocheck collect .
"""

_KUBERNETES = """\
# An indexed job: pod N makes run N. Change the image, the claim and the paths to yours.
apiVersion: batch/v1
kind: Job
metadata:
  name: reprocheck-{short}
spec:
  completionMode: Indexed
  completions: {count}
  parallelism: {parallel}
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: worker
          image: YOUR-IMAGE-WITH-REPROCHECK
          workingDir: /plans/PLAN
          command: ["sh", "-c", "exec reprocheck worker run-$JOB_COMPLETION_INDEX"]
          volumeMounts:
            - name: plans
              mountPath: /plans
      volumes:
        - name: plans
          persistentVolumeClaim:
            claimName: YOUR-CLAIM
"""

_README = """\
# {runs} of {target}

Made by `reprocheck plan` (version {version}), plan `{short}`.

- `reprocheck worker run-0` makes one run; any machine with the same code may do it, in any order, once for each folder
  `run-*`. It exits 0 when the run is complete, 2 when it refuses to start it, 3 when the run failed.
- `slurm.sh`: `sbatch slurm.sh`, in this folder. `kubernetes.yaml`: an indexed job to complete. `local.sh`: all here.
- `reprocheck collect .` judges what is there, says what is missing, and may be called as often as you like.

The code lies in `{folder}`, seen from here; `reprocheck worker --folder DIR` names another place. Source files, and
data that a run reads, are compared with the digests in `plan.json`. Copy this folder as a whole (`rsync -a`), and the
folders `run-*` back into it. A run that is to be made again, because its machine was lost, needs
`reprocheck worker --again`.
"""
MOST_PODS = 16


def scripts(plan: Plan) -> dict[str, str]:
    """File → text."""
    words = {
        "last": len(plan.runs) - 1,
        "count": len(plan.runs),
        "parallel": min(MOST_PODS, len(plan.runs)),
        "short": plan.id[:12],
        "runs": count(len(plan.runs), "run"),
        "target": plan.target.text.replace("\n", " "),
        "version": plan.version,
        "folder": plan.folder,
    }
    files = {"slurm.sh": _SLURM, "local.sh": _LOCAL, "kubernetes.yaml": _KUBERNETES, "README.md": _README}
    return {name: text.format(**words) for name, text in files.items()}
