package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// A build is the test binary of a package with all its mutants in it.
type build struct {
	target  target
	sources []*source
	mutants []mutant // by number; 0 is none
	binary  string
	dir     string // of the package
	work    string // where the tests run; see place
	scratch string
	tests   []*test
}

// newBuild reads the sources and compiles. Everything it writes is in scratch.
func newBuild(ctx context.Context, root, scratch string, t target) (*build, error) {
	b := &build{target: t, dir: filepath.Join(root, t.dir), work: filepath.Join(scratch, "work"), scratch: scratch, mutants: make([]mutant, 1)}
	if err := b.find(root); err != nil {
		return nil, err
	}
	overlay, err := b.overlay()
	if err != nil {
		return nil, err
	}
	b.binary = filepath.Join(scratch, strings.ReplaceAll(t.dir, "/", "-")+".test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", b.binary, "./"+t.dir)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the mutants of %s do not compile: %w\n%s", t.dir, err, out)
	}
	return b, b.place(root)
}

// place makes the directory in which the tests run: at the same place in a tree of
// links to the module's files, which some tests read, and with a copy of its testdata,
// where some write.
func (b *build) place(root string) error {
	from, to := root, b.work
	for _, on := range append(strings.Split(b.target.dir, "/"), "testdata") {
		if err := os.Mkdir(to, 0o700); err != nil {
			return fmt.Errorf("make a directory for the tests: %w", err)
		}
		all, err := os.ReadDir(from)
		if err != nil {
			return fmt.Errorf("read the module: %w", err)
		}
		for _, e := range all {
			if e.Name() == on {
				continue
			}
			if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return fmt.Errorf("make a directory for the tests: %w", err)
			}
		}
		from, to = filepath.Join(from, on), filepath.Join(to, on)
	}
	b.work = filepath.Dir(to)
	if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return fmt.Errorf("copy the tests' data: %w", err)
	}
	return nil
}

// find reads all files of the target. A scope that matches nothing is a mistake: what
// it named was moved, and its guards would be forgotten.
func (b *build) find(root string) error {
	last := 0
	number := func() int { last++; return last }
	for _, sc := range b.target.files {
		paths, err := filepath.Glob(filepath.Join(root, b.target.dir, sc.file))
		if err != nil {
			return fmt.Errorf("%s: %w", sc.file, err)
		}
		before := last
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("read the source: %w", err)
			}
			s, err := parseSource(filepath.Join(b.target.dir, filepath.Base(path)), sc, number, text)
			if err != nil {
				return err
			}
			b.sources = append(b.sources, s)
			b.mutants = append(b.mutants, s.mutants...)
		}
		if last == before {
			return fmt.Errorf("%s/%s has no guard any more: mend targets.go", b.target.dir, sc.file)
		}
	}
	for i := range b.mutants[1:] {
		if b.mutants[i+1].id != i+1 {
			return fmt.Errorf("mutant %d has the number %d", i+1, b.mutants[i+1].id)
		}
	}
	return nil
}

// overlay writes the files and says to the compiler which to read in their place.
func (b *build) overlay() (string, error) {
	replace := map[string]string{}
	put := func(name string, text []byte) error {
		at := filepath.Join(b.scratch, strings.ReplaceAll(b.target.dir, "/", "-")+"-"+name)
		replace[filepath.Join(b.dir, name)] = at
		return os.WriteFile(at, text, 0o600)
	}
	for _, s := range b.sources {
		if err := put(filepath.Base(s.path), s.instrumented()); err != nil {
			return "", fmt.Errorf("write the mutants: %w", err)
		}
	}
	text := strings.NewReplacer("PACKAGE", b.sources[0].pkg, "COUNT", strconv.Itoa(len(b.mutants))).Replace(helper)
	if err := put("zz_mutant.go", []byte(text)); err != nil {
		return "", fmt.Errorf("write the mutants: %w", err)
	}
	var j bytes.Buffer
	if err := json.NewEncoder(&j).Encode(map[string]any{"Replace": replace}); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	at := filepath.Join(b.scratch, strings.ReplaceAll(b.target.dir, "/", "-")+".json")
	return at, os.WriteFile(at, j.Bytes(), 0o600)
}
