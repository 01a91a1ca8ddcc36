package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"
)

// waitOps waits until the bot whose ops listener this is says that it is
// ready.
func waitOps(ctx context.Context, address string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Second}
	return poll(ctx, 200*time.Millisecond, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("the bot is not ready: /readyz says %s", resp.Status)
		}
		return nil
	})
}

// waitArchive waits until the archive has a folder for each call, or for the
// given time: calls that are not recorded get none.
func waitArchive(ctx context.Context, dir string, calls int, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	_ = poll(ctx, 100*time.Millisecond, func() error {
		found, err := filepath.Glob(filepath.Join(dir, "*", "manifest.json"))
		if err == nil && len(found) < calls {
			err = errors.New("not all are there")
		}
		return err
	})
}

// poll asks until there is no error, or ctx ends; then it returns the last
// error.
func poll(ctx context.Context, every time.Duration, ask func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}
