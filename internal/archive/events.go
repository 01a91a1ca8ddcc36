package archive

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/spool"
)

// eventLine is one line of events.jsonl.
type eventLine struct {
	At     time.Time       `json:"at"`
	Source string          `json:"source"`        // journal or spool
	Seq    int64           `json:"seq,omitempty"` // the journal's
	Kind   string          `json:"kind"`
	Data   json.RawMessage `json:"data,omitempty"`
}

// writeEvents puts the journal and the spool's records beside media into one
// file, by time. The spool's are streamed, so there may be any number of them.
func (a *assembly) writeEvents(ctx context.Context) error {
	file, err := durable.CreateHidden(filepath.Join(a.hidden, EventsName), filePerm)
	if err != nil {
		return fmt.Errorf("beginning %s: %w", EventsName, err)
	}
	w := bufio.NewWriterSize(file, 64<<10)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := a.mergeEvents(ctx, enc); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", EventsName, err), file.Discard())
	}
	if err := w.Flush(); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", EventsName, err), file.Discard())
	}
	return file.Commit()
}

// mergeEvents writes the lines.
func (a *assembly) mergeEvents(ctx context.Context, enc *json.Encoder) error {
	journal := inOrder(a.job.Events)
	put := func(n int) error {
		for _, e := range journal[:n] {
			if err := enc.Encode(eventLine{clean(e.At), "journal", e.Seq, e.Kind, valid(e.Data)}); err != nil {
				return err
			}
		}
		journal = journal[n:]
		return nil
	}
	for r, err := range a.job.records(ctx, ignore) {
		switch {
		case err != nil:
			return err
		case r.Type == spool.FrameType:
			continue
		}
		later := slices.IndexFunc(journal, func(e Event) bool { return e.At.After(r.At) })
		if later < 0 {
			later = len(journal)
		}
		kind, data, err := spoolEvent(r)
		if err = errors.Join(err, put(later)); err != nil {
			return err
		}
		if err = enc.Encode(eventLine{clean(r.At), "spool", 0, kind, data}); err != nil {
			return err
		}
	}
	return put(len(journal))
}

// spoolEvent turns a record beside media into an event.
func spoolEvent(r spool.Record) (kind string, data json.RawMessage, err error) {
	var v any
	switch r.Type {
	case spool.NoteType:
		return r.Note.Kind, valid(r.Note.Data), nil
	case spool.PermitType:
		p := *r.Permit
		p.Meta = valid(p.Meta)
		v = p
	case spool.GapType:
		v = r.Gap
	case spool.SealType:
		s := *r.Seal
		s.Meta = valid(s.Meta)
		v = s
	case spool.FrameType: // media; not reached
	}
	data, err = json.Marshal(v)
	return r.Type.String(), data, err
}

// valid makes sure that a line stays one line of JSON whatever was handed in.
func valid(data json.RawMessage) json.RawMessage {
	if len(data) == 0 || json.Valid(data) {
		return data
	}
	s, err := json.Marshal(string(data))
	if err != nil {
		return nil
	}
	return s
}
