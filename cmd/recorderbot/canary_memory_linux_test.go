package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// inMemory looks through all memory of a process that can be read: what a core dump
// would hold, if one were made.
func (c *canary) inMemory(t *testing.T, pid int) (found []sighting, size int64) {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = maps.Close() }()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mem.Close() }()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to uint64
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		if !strings.HasPrefix(rights, "rw") {
			continue // nobody has written there
		}
		data, err := io.ReadAll(io.NewSectionReader(mem, int64(from), int64(to-from)))
		if err != nil && len(data) == 0 {
			continue // not to be read: [vvar] and the like
		}
		size += int64(len(data))
		found = append(found, c.find(data)...)
	}
	return found, size
}
