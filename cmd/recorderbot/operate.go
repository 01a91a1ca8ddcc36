package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	consoleapi "github.com/recorderbot/recorderbot/internal/console"
)

type callsCommand struct {
	List   callsList   `cmd:"" help:"List the live calls of the running service."`
	Pause  callsPause  `cmd:"" help:"Seal a call's recording and announce notRecording; the call is kept."`
	Resume callsResume `cmd:"" help:"Record a paused call again, after a new success reply."`
	Stop   callsStop   `cmd:"" help:"End a call's recording and leave the call."`
}

type callsList struct {
	consoleFlags

	JSON bool `help:"Write JSON lines."`
}

// Run lists the live calls, those invited first first.
func (cmd callsList) Run(c *console) error {
	client, err := cmd.open(c, consoleapi.RoleViewer)
	if err != nil {
		return err
	}
	var l consoleapi.Calls
	if err := client.do(c.ctx, http.MethodGet, "/calls", nil, &l); err != nil {
		return err
	}
	if cmd.JSON {
		return writeJSONLines(c.out, l.Calls)
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "CALL\tINVITED\tSTATE\tSINCE\tPAUSED\tRECORDING\tUSER\tTENANT")
	for _, v := range l.Calls {
		paused := "no"
		if v.Paused {
			paused = "yes"
		}
		row := []string{string(v.Call), clockTime(v.InvitedAt), v.State, clockTime(v.Since), paused, v.Recording, v.ObservedUser, v.Tenant}
		for i := range row {
			row[i] = strings.Map(printable, cmp.Or(row[i], "-"))
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if l.More > 0 {
		fmt.Fprintf(w, "and %d more\n", l.More)
	}
	return w.Flush()
}

// orderFlags are what every order to a call has.
type orderFlags struct {
	consoleFlags

	Call   string `arg:"" help:"The call's ID, as calls list has it."`
	Reason string `help:"Why; it goes into the audit."`
	JSON   bool   `help:"Write JSON."`
}

type (
	callsPause  struct{ orderFlags }
	callsResume struct{ orderFlags }
	callsStop   struct{ orderFlags }
)

// Run pauses a call.
func (cmd callsPause) Run(c *console) error { return cmd.give(c, "pause", "paused") }

// Run resumes a call.
func (cmd callsResume) Run(c *console) error { return cmd.give(c, "resume", "recording again") }

// Run stops a call.
func (cmd callsStop) Run(c *console) error { return cmd.give(c, "stop", "ended") }

// give gives an order and says what came of it. An order that is still under way
// is not done: it ends as failed, with what is known.
func (cmd orderFlags) give(c *console, order, reached string) error {
	client, err := cmd.open(c, consoleapi.RoleOperator)
	if err != nil {
		return err
	}
	var o consoleapi.Order
	if err = client.do(c.ctx, http.MethodPost, "/calls/"+url.PathEscape(cmd.Call)+"/"+order, &consoleapi.Ask{Reason: cmd.Reason}, &o); err != nil {
		return err
	}
	if cmd.JSON {
		if err = writeJSONLines(c.out, []consoleapi.Order{o}); err != nil {
			return err
		}
	}
	switch {
	case !o.Done:
		return fmt.Errorf("call %s is %s: %s", o.Call.Call, o.Call.State, o.Detail)
	case cmd.JSON:
		return nil
	}
	_, err = fmt.Fprintf(c.out, "call %s is %s\n", o.Call.Call, reached)
	return err
}

type drainCommand struct {
	consoleFlags

	Reason string        `help:"Why; it goes into the audit."`
	Wait   bool          `help:"Wait until no call is live."`
	Every  time.Duration `default:"2s" hidden:"" help:"How often to look."`
	JSON   bool          `help:"Write JSON."`
}

// Run makes the service refuse new calls. Live ones go on to their end.
func (cmd drainCommand) Run(c *console) error {
	if cmd.Every <= 0 {
		return fmt.Errorf("--every %v is not a time to wait", cmd.Every)
	}
	client, err := cmd.open(c, consoleapi.RoleAdmin)
	if err != nil {
		return err
	}
	var s consoleapi.Status
	if err = client.do(c.ctx, http.MethodPost, "/drain", &consoleapi.Ask{Reason: cmd.Reason}, &s); err != nil {
		return err
	}
	if cmd.Wait {
		if s, err = cmd.await(c.ctx, client, s); err != nil {
			return err
		}
	}
	if cmd.JSON {
		return writeJSONLines(c.out, []consoleapi.Status{s})
	}
	_, err = fmt.Fprintf(c.out, "no new calls are taken; %d live\n", s.Calls)
	return err
}

// await looks until no call is live.
func (cmd drainCommand) await(ctx context.Context, client *consoleClient, s consoleapi.Status) (consoleapi.Status, error) {
	err := poll(ctx, cmd.Every, func() error {
		if s.Calls == 0 {
			return nil
		}
		fresh := consoleapi.Status{}
		if err := client.do(ctx, http.MethodGet, "/status", nil, &fresh); err != nil {
			return err
		}
		if s = fresh; s.Calls > 0 {
			return fmt.Errorf("%d calls are live", s.Calls)
		}
		return nil
	})
	if err != nil {
		return s, errors.Join(errors.New("the service drains, and this no longer waits for it"), err)
	}
	return s, nil
}
