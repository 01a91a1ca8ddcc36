package main

import (
	"testing"
	"testing/fstest"
	"time"
)

func TestCPUQuota(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, tt := range map[string]struct {
		root fstest.MapFS
		want float64
	}{
		"nothing":        {fstest.MapFS{}, 0},
		"container":      {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/cpu.max": file("150000 100000\n")}, 1.5},
		"no limit":       {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/cpu.max": file("max 100000\n")}, 0},
		"outside":        {fstest.MapFS{"proc/self/cgroup": file("0::/../../x\n")}, 0},
		"rubbish":        {fstest.MapFS{"proc/self/cgroup": file("0::a b\n0::\n"), "sys/fs/cgroup/cpu.max": file("7")}, 0},
		"the older kind": {fstest.MapFS{"sys/fs/cgroup/cpu/cpu.cfs_quota_us": file("50000\n"), "sys/fs/cgroup/cpu/cpu.cfs_period_us": file("100000\n")}, 0.5},
		"older, none":    {fstest.MapFS{"sys/fs/cgroup/cpu/cpu.cfs_quota_us": file("-1\n"), "sys/fs/cgroup/cpu/cpu.cfs_period_us": file("100000\n")}, 0},
		"the parent says": {fstest.MapFS{
			"proc/self/cgroup":                               file("1:name=x:/y\n0::/system.slice/bot.service\n"),
			"sys/fs/cgroup/system.slice/cpu.max":             file("200000 100000\n"),
			"sys/fs/cgroup/system.slice/bot.service/cpu.max": file("400000 100000\n"),
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := cpuQuota(tt.root); got != tt.want {
				t.Errorf("%v cores, want %v", got, tt.want)
			}
		})
	}
}

// TestCPUMeter: this process uses some, and may use some.
func TestCPUMeter(t *testing.T) {
	t.Parallel()
	m := &cpuMeter{}
	was, cores := m.read()
	if was <= 0 || cores <= 0 {
		t.Fatalf("used %v of %v cores", was, cores)
	}
	for began := time.Now(); time.Since(began) < 5*time.Millisecond; {
	}
	if used, _ := m.read(); used <= was || used > was+time.Minute {
		t.Errorf("used %v, then %v", was, used)
	}
}
