//go:build !linux

package main

import "io"

// reportDumpable: there is nothing to report.
func reportDumpable(io.Writer) (exit int) { return 1 }
