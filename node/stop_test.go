package node_test

import "testing"

func (c *cluster) testDecidedKeyAnswersFirst(t *testing.T) {}
func (c *cluster) testMetrics(t *testing.T)     {}
func (c *cluster) testTrace(t *testing.T)       {}
func (c *cluster) testPlannedStop(t *testing.T) {}
func (c *cluster) testNoQuorum(t *testing.T)    {}
