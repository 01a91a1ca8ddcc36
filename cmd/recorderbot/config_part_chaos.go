//go:build chaos

package main

import "time"

// leastPart lets a call of some seconds have several parts.
const leastPart = 100 * time.Millisecond
