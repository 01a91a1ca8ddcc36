package recorder

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"testing"
)

// TestWordsComeBack: an event that was written and read says the same.
func TestWordsComeBack(t *testing.T) {
	t.Parallel()
	deep := &url.Error{Op: "Post", URL: "https://x", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errors.New("refused"))}}
	for _, ev := range []Event{
		HungUp{&Fault{Kind: FaultUnknown, Err: deep}},
		Rejected{&Fault{Kind: FaultUnknown, Err: fmt.Errorf("a: %w", deep)}},
		StatusFaulted{"x", Fault{Kind: FaultThrottled, RetryAfter: 3, Err: deep}},
		AnswerFaulted{Fault{Err: errors.New("plain")}},
	} {
		data, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		back, err := eventOf(eventName(ev), data)
		if err != nil {
			t.Fatal(err)
		}
		if was, is := Words(Unexpected{ev}), Words(Unexpected{back}); was != is {
			t.Errorf("%s\nis %s", was, is)
		}
	}
}
