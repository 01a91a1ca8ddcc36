// Command mutate shows that the tests see each guard of the order.
//
// Its law: for each guard of the state machine, of mint and of the gate, a build
// without it fails a test; and where none can fail, a person has said why, in
// equivalent.txt. A guard that is added without its test makes the run fail.
//
// A guard is a condition of an if, of a case, an operand of && and ||, a bound of a
// comparison, a case of a switch, a clamp by min or max, a command in a list, and a
// statement that does one thing (a call, an assignment). A mutant is the program
// with one of them turned to true, to false, moved by one, or left out.
//
// The sources are read as they are now (find.go), and one copy of each package is
// made with all its mutants in it, asleep, each with a number (instrument.go). It
// is compiled once, by go test -overlay: nothing is written into the work tree. Then
// the tests run once for each mutant, woken by an environment variable; first those
// that are quick, and only those that reach the guard (run.go).
//
// What it cannot show: that the tests see two guards removed at once, or a guard that
// was never written. The exploration of the machine is for that.
package main
