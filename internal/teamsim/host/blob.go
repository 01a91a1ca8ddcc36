package host

import (
	"encoding/json"
	"fmt"
)

// A Blob is what the opaque blob of CreateSession says to the simulated cloud.
// The recorder must not look inside.
type Blob struct {
	Host    string `json:"teamsimHost"`
	Epoch   string `json:"epoch"`
	Session string `json:"session"`
}

// String is the blob as it travels.
func (b Blob) String() string {
	text, err := json.Marshal(b)
	if err != nil {
		panic(err) // three strings always marshal
	}
	return string(text)
}

// ParseBlob reads a blob. It fails on anything that no host of the simulator
// has made.
func ParseBlob(text string) (Blob, error) {
	var b Blob
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return Blob{}, fmt.Errorf("read the blob: %w", err)
	}
	if b.Host == "" || b.Session == "" || b.Epoch == "" {
		return Blob{}, fmt.Errorf("the blob names no host, epoch or session: %.200q", text)
	}
	return b, nil
}
