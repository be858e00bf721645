package lora

// bucketStep is what ranks are rounded up to: those up to 8 share their programs, and none holds more than 7 rows that it does not need
// (measured, experiments/LOG.md 2026-11-29).
const bucketStep = 8

// Bucket is the rank that a module of a rank has inside compiled programs. A's further rows and B's further columns are zero, and stay so:
// the gradient of each is a product with the other's zeros. So one program serves every rank of a bucket, and which that is depends on
// the trial alone: it has the same bits whatever was trained before it.
func Bucket(rank int) int { return (rank + bucketStep - 1) / bucketStep * bucketStep }
