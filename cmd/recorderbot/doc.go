// Command recorderbot is an open compliance recorder for Microsoft Teams.
//
// Its law is the order of its parts: nothing listens before what it needs is
// ready, and nothing is closed before what uses it. This package holds the
// configuration, the wiring (bot.go), the ordered shutdown and the
// subcommands; it decides nothing about calls. Only this package sees all
// others.
package main
