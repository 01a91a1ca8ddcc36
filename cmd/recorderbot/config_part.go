//go:build !chaos

package main

import "time"

// leastPart is how long a part must be at least: each is a recording of its own.
const leastPart = time.Minute
