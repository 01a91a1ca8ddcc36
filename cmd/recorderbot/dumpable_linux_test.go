package main

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// reportDumpable forbids dumps and says whether the kernel would make one: 0 is no.
func reportDumpable(out io.Writer) (exit int) {
	if err := undumpable(); err != nil {
		fmt.Fprint(out, err)
		return 1
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		fmt.Fprint(out, err)
		return 1
	}
	fmt.Fprint(out, dumpable)
	return 0
}
