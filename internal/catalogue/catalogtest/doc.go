// Package catalogtest is what every implementation of the catalogue must pass.
//
// Its law: it knows no database. It reads and writes through the catalogue's
// exported methods alone, and checks what recorder.Ledger and the package
// comment of catalogue promise.
package catalogtest
