package slurm_test

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster/clustertest"
)

func TestMain(m *testing.M) { clustertest.Main(m) }
