// Package durable makes files that are there, whole, after a power cut, or not
// there at all. It is the only caller of os.Create and its kin: who wants to
// persist a byte of media passes through here, and a reviewer who wants to know
// what may reach a disk reads one package.
//
// # The law
//
//   - A file gets its name last: written under a hidden name in the same
//     directory, fsynced, closed, renamed, and then the directory is fsynced.
//     Before the rename nobody sees it; after the directory's fsync nothing can
//     take it away.
//   - A directory that was made, or whose entries changed, is fsynced before
//     the function returns.
//   - An fsync that failed is final. The kernel may have dropped the dirty pages
//     and forgotten that it did, so a second fsync that succeeds proves nothing:
//     nothing here tries again, and no caller should.
//
// A crash at any line leaves at worst a hidden file (a name that begins with a
// dot and ends in ".part"), which whoever owns the directory may remove.
//
// BUG: a disk that acknowledges a flush that it did not make breaks all this,
// and no program can tell.
package durable
