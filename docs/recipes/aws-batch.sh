#!/bin/sh
# One fleet as array jobs of AWS Batch: plan in shards, gate, apply in shards, gather. Run it every night, from a schedule.
# The queue and the job definition are yours: an image of appfleet with the fleet in /fleet, and a job role with the
# rights of `appfleet iam-policy` and of the bucket. Containers share the bucket and nothing else.
set -eu
SHARDS=4
STATE=s3://acme-appfleet/prod
PLANS=$STATE/plans/$(date -u +%Y%m%d)

submit() { # NAME SHARDS AFTER COMMAND: submits a job, an array of SHARDS unless it is 1, and prints its id
  set -- "$1" "$2" "$3" "exec appfleet --file=/fleet/fleet.toml --state-dir=$STATE --log-format=json $4"
  array=
  if [ "$2" -gt 1 ]; then array="--array-properties size=$2"; fi
  after=
  if [ -n "$3" ]; then after="--depends-on jobId=$3"; fi
  # Unquoted on purpose: each is nothing, or an option and its value.
  aws batch submit-job --job-name "appfleet-$1" --job-queue appfleet --job-definition appfleet $array $after \
    --container-overrides "$(printf '{"command": ["sh", "-c", "%s"]}' "$4")" --query jobId --output text
}

plan=$(submit plan $SHARDS "" "plan --shard \$AWS_BATCH_JOB_ARRAY_INDEX/$SHARDS --out $PLANS")
gate=$(submit gate 1 "$plan" "gate --shards $SHARDS $PLANS")
apply=$(submit apply $SHARDS "$gate" "apply --shard \$AWS_BATCH_JOB_ARRAY_INDEX/$SHARDS --deadline 3h $PLANS")
# Batch starts nothing after a job that failed: to gather after failed shards too, run it from the schedule instead.
submit gather 1 "$apply" "gather $PLANS"
