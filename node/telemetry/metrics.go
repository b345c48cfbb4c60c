package telemetry

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what a node does. Amounts are in minor units by currency; a
// win in euros is never added to one in yen.
type Metrics struct {
	rounds, steps, incidents *prometheus.CounterVec
	stakes, wins             *prometheus.CounterVec
	refusals                 *prometheus.CounterVec
	leaderChanges            *prometheus.CounterVec
	evaluate, commit         *prometheus.HistogramVec
	batch                    *prometheus.HistogramVec
	fsync                    prometheus.Histogram
	leads, sequence, lag     *prometheus.GaugeVec
	queue, members           *prometheus.GaugeVec
	trust                    prometheus.Gauge
	modules                  *prometheus.GaugeVec
	damaged                  prometheus.Counter
	canaryRounds             *prometheus.GaugeVec
	canaryReturn             *prometheus.GaugeVec
	canaryRollbacks          *prometheus.CounterVec
	liveAlarms               *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry, cfg Config) (*Metrics, error) {
	m := &Metrics{
		rounds:        counter("rounds_total", "Game rounds opened by this leader.", "game", "mode"),
		steps:         counter("steps_total", "Game steps settled by this leader.", "game", "mode"),
		incidents:     counter("incidents_total", "Game steps whose module failed.", "game"),
		stakes:        counter("stake_minor_total", "Stakes debited, in minor units.", "currency"),
		wins:          counter("win_minor_total", "Wins of settled steps, in minor units.", "currency"),
		refusals:      counter("refusals_total", "Refused calls by code and effect.", "code", "effect"),
		leaderChanges: counter("leader_changes_total", "Changes of a shard's leader seen by this node.", "shard"),
		evaluate:      seconds("evaluate_seconds", "Time to evaluate a step in its module.", "game"),
		commit:        seconds("commit_seconds", "Time from proposing an entry to its apply.", "shard"),
		batch:         histogram("batch_operations", "Operations in a proposed entry.", prometheus.ExponentialBuckets(1, 2, 11), "shard"),
		leads:         gauge("shard_leads", "1 where this node leads the shard.", "shard"),
		sequence:      gauge("shard_sequence", "Shard sequence applied by this node.", "shard"),
		lag:           gauge("shard_lag_entries", "Entries this node is behind what is committed.", "shard"),
		queue:         gauge("queue_operations", "Operations waiting to be proposed.", "shard"),
		members:       gauge("members", "Nodes by state, as this node sees them.", "state"),
		modules:       gauge("modules", "Games by whether this node has them loaded.", "state"),

		canaryRounds:    gauge("canary_rounds", "Rounds of a game's canary when this node last judged it.", "game", "mode"),
		canaryReturn:    gauge("canary_return_ratio", "What they returned per unit of cost.", "game", "mode"),
		canaryRollbacks: counter("canary_rollbacks_total", "Canaries that this node took back.", "game"),
		liveAlarms:      counter("live_alarms_total", "Live versions found not to play as their report says.", "game"),
	}
	damaged := counter("damaged_blobs_total", "Stored blobs whose bytes no longer had their digest.")
	fsync := seconds("fsync_seconds", "Time of one sync of the node's log.")
	trust := gauge("certificate_expiry_seconds", "When this node's certificate expires, seconds since 1970.")
	build := gauge("build_info", "Constant 1, labelled with who this is.", "build", "cluster", "node", "region")
	all := append(runtimeCollectors(), m.rounds, m.steps, m.incidents, m.stakes, m.wins, m.refusals, m.leaderChanges,
		m.evaluate, m.commit, m.batch, fsync, m.leads, m.sequence, m.lag, m.queue, m.members, m.modules, damaged, trust, build,
		m.canaryRounds, m.canaryReturn, m.canaryRollbacks, m.liveAlarms)
	for _, collector := range all {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("register metric: %w", err)
		}
	}
	m.trust = trust.WithLabelValues()
	m.damaged = damaged.WithLabelValues()
	build.WithLabelValues(cfg.Build, cfg.Cluster, cfg.Node, cfg.Region).Set(1)
	// A histogram without labels is an observer of its own.
	m.fsync, _ = fsync.WithLabelValues().(prometheus.Histogram)
	return m, nil
}

const namespace = "edgereel"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// histogram is native, with classic buckets for scrapers that know only those.
func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}, labels)
}

func seconds(name, help string, labels ...string) *prometheus.HistogramVec {
	return histogram(name, help, prometheus.ExponentialBuckets(0.0001, 2, 17), labels...) // 0.1 ms to 6.5 s
}

// Step counts one settled step. opened says that it began a round; the stake
// is what it debited and the win what it won, 0 or more.
func (m *Metrics) Step(game, mode, currency string, opened bool, stakeMinor, winMinor int64) {
	m.steps.WithLabelValues(game, mode).Inc()
	if opened {
		m.rounds.WithLabelValues(game, mode).Inc()
	}
	m.stakes.WithLabelValues(currency).Add(float64(max(0, stakeMinor)))
	m.wins.WithLabelValues(currency).Add(float64(max(0, winMinor)))
}

// Incident counts a step whose module failed.
func (m *Metrics) Incident(game string) { m.incidents.WithLabelValues(game).Inc() }

// Refused counts a refused call. Both labels come from fixed lists.
func (m *Metrics) Refused(code, effect string) { m.refusals.WithLabelValues(code, effect).Inc() }

// LeaderChanged counts a change of leader, and whether this node leads now.
func (m *Metrics) LeaderChanged(shard uint32, leads bool) {
	m.leaderChanges.WithLabelValues(label(shard)).Inc()
	value := 0.0
	if leads {
		value = 1
	}
	m.leads.WithLabelValues(label(shard)).Set(value)
}

// Evaluated observes the time of one evaluation.
func (m *Metrics) Evaluated(game string, took time.Duration) {
	m.evaluate.WithLabelValues(game).Observe(took.Seconds())
}

// CanaryLooked shows a test of a game's canary: how often the mode was played
// and what it returned, per unit of cost.
func (m *Metrics) CanaryLooked(game, _, mode string, rounds uint64, returned float64) {
	m.canaryRounds.WithLabelValues(game, mode).Set(float64(rounds))
	m.canaryReturn.WithLabelValues(game, mode).Set(returned)
}

// CanaryRolledBack counts a canary that this node took back.
func (m *Metrics) CanaryRolledBack(game string) { m.canaryRollbacks.WithLabelValues(game).Inc() }

// LiveAlarm counts a live version that does not play as its report says.
func (m *Metrics) LiveAlarm(game string) { m.liveAlarms.WithLabelValues(game).Inc() }

// Committed observes one entry: its operations and the time to its apply.
func (m *Metrics) Committed(shard uint32, operations int, took time.Duration) {
	m.batch.WithLabelValues(label(shard)).Observe(float64(operations))
	m.commit.WithLabelValues(label(shard)).Observe(took.Seconds())
}

// Fsynced observes one sync of the node's log.
func (m *Metrics) Fsynced(took time.Duration) { m.fsync.Observe(took.Seconds()) }

// Shard sets where this node stands in a shard.
func (m *Metrics) Shard(shard uint32, sequence, lagEntries uint64) {
	m.sequence.WithLabelValues(label(shard)).Set(float64(sequence))
	m.lag.WithLabelValues(label(shard)).Set(float64(lagEntries))
}

// Queue sets how many operations wait in a shard.
func (m *Metrics) Queue(shard uint32, operations int) {
	m.queue.WithLabelValues(label(shard)).Set(float64(operations))
}

// Members sets how many nodes are in each state. States not named are 0.
func (m *Metrics) Members(states map[string]int) {
	for _, state := range []string{"alive", "suspect", "dead", "left"} {
		m.members.WithLabelValues(state).Set(float64(states[state]))
	}
}

// CertificateExpires sets when this node's certificate ends.
func (m *Metrics) CertificateExpires(at time.Time) { m.trust.Set(float64(at.Unix())) }

func label(shard uint32) string { return strconv.FormatUint(uint64(shard), 10) }

// Modules sets how many games are loaded on this node and how many are missing.
func (m *Metrics) Modules(loaded, missing int) {
	m.modules.WithLabelValues("loaded").Set(float64(loaded))
	m.modules.WithLabelValues("missing").Set(float64(missing))
}

// ModuleDamaged counts a stored blob that changed on disk.
func (m *Metrics) ModuleDamaged() { m.damaged.Inc() }
