package host

import (
	"fmt"
	"slices"
)

// Hosts are several media hosts behind one cloud: each blob goes to the host
// that made it.
type Hosts []*Host

// Connect is Host.Connect of the blob's host.
func (hs Hosts) Connect(blob string) error {
	h, err := hs.of(blob)
	if err != nil {
		return err
	}
	return h.Connect(blob)
}

// Disconnect is Host.Disconnect of the blob's host.
func (hs Hosts) Disconnect(blob string) {
	if h, err := hs.of(blob); err == nil {
		h.Disconnect(blob)
	}
}

// SetCast is Host.SetCast of the blob's host.
func (hs Hosts) SetCast(blob string, c Cast) error {
	h, err := hs.of(blob)
	if err != nil {
		return err
	}
	return h.SetCast(blob, c)
}

// Inject is Host.Inject of the blob's host.
func (hs Hosts) Inject(blob string, faults ...Fault) error {
	h, err := hs.of(blob)
	if err != nil {
		return err
	}
	return h.Inject(blob, faults...)
}

// Records are those of all hosts, by time of creation.
func (hs Hosts) Records() []SessionRecord {
	var all []SessionRecord
	for _, h := range hs {
		all = append(all, h.Records()...)
	}
	slices.SortStableFunc(all, func(a, b SessionRecord) int { return a.Created.Compare(b.Created) })
	return all
}

// Close closes them all.
func (hs Hosts) Close() {
	for _, h := range hs {
		h.Close()
	}
}

func (hs Hosts) of(blob string) (*Host, error) {
	b, err := ParseBlob(blob)
	if err != nil {
		return nil, err
	}
	for _, h := range hs {
		if h.ID() == b.Host {
			return h, nil
		}
	}
	return nil, fmt.Errorf("no media host is called %q: %w", b.Host, ErrNoSession)
}
