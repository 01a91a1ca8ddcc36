package spool

// A Fault says what the disk answers instead of doing something; nil lets it be
// done. What is open, write, sync or preallocate.
type Fault func(what string) error

// faulty is a disk that fails where a test of the whole program wants it to.
type faulty struct {
	files

	fault Fault
}

func (d faulty) Segment(path string) (segmentFile, error) {
	if err := d.fault("open"); err != nil {
		return nil, err
	}
	f, err := d.files.Segment(path)
	if err != nil {
		return nil, err
	}
	return faultyFile{f, d.fault}, nil
}

func (d faulty) WriteFile(path string, data []byte) error {
	if err := d.fault("write"); err != nil {
		return err
	}
	return d.files.WriteFile(path, data)
}

type faultyFile struct {
	segmentFile

	fault Fault
}

func (f faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fault("write"); err != nil {
		return 0, err
	}
	return f.segmentFile.WriteAt(p, off)
}

func (f faultyFile) Datasync() error {
	if err := f.fault("sync"); err != nil {
		return err
	}
	return f.segmentFile.Datasync()
}

func (f faultyFile) Preallocate(size int64) error {
	if err := f.fault("preallocate"); err != nil {
		return err
	}
	return f.segmentFile.Preallocate(size)
}

func (f faultyFile) ZeroFill(from, to int64) error {
	if err := f.fault("write"); err != nil {
		return err
	}
	return f.segmentFile.ZeroFill(from, to)
}
