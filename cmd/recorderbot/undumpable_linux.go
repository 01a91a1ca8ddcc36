package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// undumpable makes sure that no dump of this process is ever written: it would hold
// what law 1 forbids to keep, media that came before consent, and keys besides.
// Both are needed: a core pattern that is a pipe ignores the limit, and the limit
// holds where something makes the process dumpable again. From here on only root
// may trace the process or read its memory. There is no way to switch it off: a
// crash is explained by the stacks on stderr, which hold no content.
func undumpable() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps (RLIMIT_CORE): %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid core dumps (PR_SET_DUMPABLE): %w; let the sandbox allow prctl", err)
	}
	return nil
}
