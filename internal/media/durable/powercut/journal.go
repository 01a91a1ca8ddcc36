package powercut

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// An Op names what was done to the disk.
type Op string

// The operations. A write keeps what was there before; removals and replacements
// keep the file.
const (
	Write  Op = "write"  // bytes into a file
	Extend Op = "extend" // a file is made longer
	Create Op = "create" // a name
	Mkdir  Op = "mkdir"
	Rename Op = "rename"
	Remove Op = "remove" // a file or an empty directory
	Synced Op = "synced" // a file's bytes are safe
	Named  Op = "named"  // a directory's names are safe
)

// A Record is one line of the journal. The bytes that a write replaced follow
// it, unless they were zeros or beyond the file's end.
type Record struct {
	Op   Op     `json:"op"`
	Path string `json:"path"`
	To   string `json:"to,omitempty"` // of a rename
	// Off and Len are a write's; Size is the file's before.
	Off  int64 `json:"off,omitempty"`
	Len  int64 `json:"len,omitempty"`
	Size int64 `json:"size,omitempty"`
	// Upto is how many records were there when a sync began.
	Upto int `json:"upto,omitempty"`
	// Kept is the name, beside the journal, under which a file is kept that was
	// removed or replaced.
	Kept string `json:"kept,omitempty"`
	// Old is how many bytes follow.
	Old int `json:"old,omitempty"`

	old []byte
}

const journalName = "journal"

// A Journal is what one process adds to. It is safe for concurrent use.
type Journal struct {
	dir string

	mu   sync.Mutex
	file *os.File
	n    int // records, of all processes since the last cut
}

// Open goes on with the journal in dir, which must be on the filesystem that it
// tells of and is made where it does not exist.
func Open(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the journal of a power cut: %w", err)
	}
	path := filepath.Join(dir, journalName)
	records, end, err := read(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // G304: the test names it
	if err == nil {
		err = f.Truncate(end) // the last line is of a process that died in it
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the journal of a power cut: %w", err)
	}
	return &Journal{dir: dir, file: f, n: len(records)}, nil
}

// Len is how many records there are: what a sync that begins now covers.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.n
}

// Add puts a record at the end, with what a write is about to replace.
func (j *Journal) Add(r Record, old []byte) error {
	if len(bytes.TrimLeft(old, "\x00")) == 0 {
		old = nil
	}
	r.Old = len(old)
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("keeping the journal of a power cut: %w", err)
	}
	line = append(append(line, '\n'), old...)
	j.mu.Lock()
	defer j.mu.Unlock()
	// One write: a killed process leaves a line whole, or cut, but never mixed.
	if _, err = j.file.Write(line); err != nil {
		return fmt.Errorf("keeping the journal of a power cut: %w", err)
	}
	j.n++
	return nil
}

// Keep keeps a file that is about to be removed or replaced, and says under
// which name; empty: there is none, or it is a directory.
func (j *Journal) Keep(path string) (string, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return "", nil
	}
	kept, kerr := j.place()
	if err = errors.Join(err, kerr); err == nil {
		err = os.Link(path, filepath.Join(j.dir, kept))
	}
	if err != nil {
		return "", fmt.Errorf("keeping %s for a power cut: %w", path, err)
	}
	return kept, nil
}

// KeepTree moves a whole tree away that is to be removed; empty: it is not
// there. The record comes first, so that a process that dies between has only not
// removed it.
func (j *Journal) KeepTree(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kept, err := j.place()
	if err != nil {
		return err
	}
	if err = j.Add(Record{Op: Remove, Path: path, Kept: kept}, nil); err == nil {
		err = os.Rename(path, filepath.Join(j.dir, kept))
	}
	if err != nil {
		return fmt.Errorf("keeping %s for a power cut: %w", path, err)
	}
	return nil
}

// place returns a name that nothing has, of any process.
func (j *Journal) place() (string, error) {
	f, err := os.CreateTemp(j.dir, "kept-*")
	if err != nil {
		return "", fmt.Errorf("keeping a file for a power cut: %w", err)
	}
	return filepath.Base(f.Name()), errors.Join(f.Close(), os.Remove(f.Name()))
}

// read returns the whole records of a journal, and where they end.
func read(path string) ([]Record, int64, error) {
	data, err := os.ReadFile(path) //nolint:gosec // G304: the test names it
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the journal of a power cut: %w", err)
	}
	var records []Record
	at := 0
	for at < len(data) {
		n := bytes.IndexByte(data[at:], '\n')
		if n < 0 {
			break
		}
		var r Record
		if err = json.Unmarshal(data[at:at+n], &r); err != nil {
			return nil, 0, fmt.Errorf("reading the journal of a power cut: record %d: %w", len(records), err)
		}
		end := at + n + 1 + r.Old
		if end > len(data) {
			break
		}
		r.old = data[at+n+1 : end]
		records = append(records, r)
		at = end
	}
	return records, int64(at), nil
}
