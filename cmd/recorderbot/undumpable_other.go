//go:build !linux

package main

// undumpable: elsewhere the bot runs for development and demos only.
func undumpable() error { return nil }
