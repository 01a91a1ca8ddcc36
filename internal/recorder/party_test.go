package recorder

import (
	"errors"
	"strings"
	"testing"
	"unicode"
)

func TestParseNumber(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"+493012345678": "+493012345678", "0049 30 1234-5678": "+493012345678", "+49 (0)30 12345678": "+493012345678",
		"+49 (30) 1234/5678": "+493012345678", " tel:+49-30-12345678;ext=12 ": "+493012345678", "TEL:1234": "1234",
		"(+49) 30.12345678": "+493012345678", "030 12345678": "03012345678", "4711": "4711", "+1\u00a0425\u2011555\u20130100": "+14255550100",
		"00": "", "+": "", "": "", "tel:": "", "anonymous": "", "+44xxxxxxxxxx": "", "+49+30": "", "30+49": "", "8:orgid:1": "",
		"4:+4930": "", "+1234567890123456": "", "١٢٣": "", "+49;30": "",
	} {
		got, err := ParseNumber(in)
		if got != want || (err == nil) == (want == "") || err != nil && !errors.Is(err, ErrNumber) {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

// FuzzParseNumber: a number in its one form is its own form, and how it was set apart
// does not matter.
func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"+49 30", "0049(0)30", "tel:1;2", "00", "(+49)1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseNumber(s)
		if err != nil {
			if n != "" {
				t.Fatalf("%q: %q with %v", s, n, err)
			}
			return
		}
		if again, err := ParseNumber(n); err != nil || again != n {
			t.Errorf("%q: %q, and that is %q, %v", s, n, again, err)
		}
		if digits := strings.TrimPrefix(n, "+"); digits == "" || len(digits) > mostDigits || strings.ContainsFunc(digits, func(r rune) bool { return !unicode.IsDigit(r) }) {
			t.Errorf("%q: %q", s, n)
		}
		if spaced, err := ParseNumber(strings.Join(strings.Split(n, ""), " ")); err != nil || spaced != n {
			t.Errorf("%q set apart is %q, %v", n, spaced, err)
		}
	})
}
