package main

import (
	"io/fs"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// quotaEvery is how often the container's limit is read: it can be changed while
// the process runs.
const quotaEvery = 10 * time.Second

// A cpuMeter says how much CPU time the process has used, and how many cores it may
// use. It belongs to one goroutine at a time.
type cpuMeter struct {
	asked time.Time
	cores float64
}

func (m *cpuMeter) read() (used time.Duration, cores float64) {
	if now := time.Now(); now.Sub(m.asked) > quotaEvery {
		m.asked, m.cores = now, float64(runtime.GOMAXPROCS(0))
		if quota := cpuQuota(os.DirFS("/")); quota > 0 {
			m.cores = min(m.cores, quota)
		}
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, 0 // not to be measured, so no limit
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), m.cores
}

// cpuQuota is the least number of cores that a control group of ours allows, 0
// where none says so. A container mostly sees its own group as the root.
func cpuQuota(root fs.FS) (least float64) {
	limit := func(quota, period string) {
		q, qErr := strconv.ParseFloat(quota, 64) // "max", or -1: none
		p, pErr := strconv.ParseFloat(period, 64)
		if qErr == nil && pErr == nil && q > 0 && p > 0 && (least == 0 || q/p < least) {
			least = q / p
		}
	}
	read := func(name string) string {
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	for line := range strings.Lines(read("proc/self/cgroup")) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for ok {
			quota, period, _ := strings.Cut(read(path.Join("sys/fs/cgroup", group, "cpu.max")), " ")
			limit(quota, period)
			ok = group != "/" && group != "" && group != "."
			group = path.Dir(group)
		}
	}
	limit(read("sys/fs/cgroup/cpu/cpu.cfs_quota_us"), read("sys/fs/cgroup/cpu/cpu.cfs_period_us")) // the older kind
	return least
}
