// Package spool is the append-only log of all recordings of one process.
package spool
